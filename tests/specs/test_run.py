"""run.yml, cluster.yml, updates and schemas."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from trialflow.errors import InvalidInput
from trialflow.specs import (
    ClusterSpec,
    ExperimentSpec,
    RunSpec,
    SpecError,
    check_update,
    json_schema,
    load_cluster,
    load_run,
    validate_experiment_body,
)

ROOT = Path(__file__).parents[2]


def test_a_text_is_for_the_shell_and_a_list_is_not() -> None:
    assert RunSpec.model_validate({"run": "python model.py | tee x"}).run == ["sh", "-c", "python model.py | tee x"]
    assert RunSpec.model_validate({"run": ["python", "model.py"]}).run == ["python", "model.py"]
    assert RunSpec.model_validate({}).run is None


@pytest.mark.parametrize(("given", "seconds"), [(90, 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("1.5h", 5400)])
def test_a_timeout_is_seconds_or_has_its_unit(given: object, seconds: float) -> None:
    assert RunSpec.model_validate({"timeout": given}).timeout == seconds


@pytest.mark.parametrize("image", ["python", "python:3.11-slim", "a/b/c:1", "host.example.com:5000/team/model", "x@sha256:" + "a" * 64])
def test_any_docker_reference_is_an_image(image: str) -> None:
    assert RunSpec.model_validate({"image": image}).image == image


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: 'UPPER CASE'", "run.yml:1:1: image: 'UPPER CASE' is no image reference"),
        ("env: {A: true}", "run.yml:1:7: env.A: true; expected text or a number; put it in quotes"),
        ("env: {A B: x}", "cannot be the name of an environment variable"),
        ("metrics: {m: 'x=('}", "is no regular expression"),
        ("metrics: {m: 'x='}", "has 0 groups; exactly one"),
        ("timeout: soon", "expected seconds above 0"),
        ("resources: {gpus: 1, limits: {nvidia.com/gpu: 1}}", "give one of the two"),
        ("language: python", "unknown key; `run` has the command"),
        ("max_relaunches: -1", "greater than or equal to 0"),
        ("rn: python", 'did you mean "run"?'),
    ],
)
def test_what_is_wrong_in_run_yml_is_said(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "run.yml").write_text(text)
    with pytest.raises(SpecError) as raised:
        load_run(tmp_path / "run.yml")
    assert expected in raised.value.message.replace(f"{tmp_path}/", "")


def test_aws_keys_are_taken_and_never_shown(tmp_path: Path) -> None:
    spec = RunSpec.model_validate({"aws": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}})
    assert spec.aws is not None and spec.aws.aws_secret_access_key.get_secret_value() == "hush"
    assert "hush" not in repr(spec) + spec.model_dump_json()
    (tmp_path / "run.yml").write_text("aws: {aws_access_key_id: [hush], aws_secret_access_key: {hush: 1}}")
    with pytest.raises(SpecError) as raised:
        load_run(tmp_path / "run.yml")
    assert "hush" not in raised.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("provider: aws\ncluster_name: x", "an AWS cluster has cpu or gpu nodes"),
        ("provider: gcp\ncluster_name: x", "allowed: aws, custom, local"),
        ("provider: custom\ncluster_name: x\nkubernetes_version: 1.20", "put it in quotes"),
        ("provider: aws\ncluster_name: x\ncpu: {instance_type: m5, min_nodes: 3, max_nodes: 2}", "3 is more than max_nodes 2"),
        ("provider: aws\ncluster_name: 1x\ncpu: {instance_type: m5, min_nodes: 0, max_nodes: 2}", "a letter, then letters"),
        ("provider: custom\ncluster_name: x\ncpu: {instance_type: m5, min_nodes: 0, max_nodes: 2}", "not for provider custom"),
    ],
)
def test_what_is_wrong_in_cluster_yml_is_said(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "cluster.yml").write_text(text)
    with pytest.raises(SpecError) as raised:
        load_cluster(tmp_path / "cluster.yml")
    assert expected in raised.value.message


def test_a_cluster_is_read() -> None:
    cpu = {"instance_type": "m5.large", "min_nodes": 0, "max_nodes": 2}
    spec = ClusterSpec.model_validate({"provider": "aws", "cluster_name": "tiny", "kubernetes_version": "1.34", "cpu": cpu})
    assert spec.cpu is not None and spec.cpu.max_nodes == 2


BODY = {"name": "x", "parameters": [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}], "budget": 10}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "x"}, 'Missing required json key "parameters" in: {"name": "x"}'),
        ({**BODY, "zzz": 1}, "Unknown json keys `zzz` in: "),
        ({**BODY, "budget": 60.5}, "Invalid type for .budget: 60.5 - expected a whole number"),
        ({**BODY, "type": "x"}, "x is not one of the allowed values: offline, random, grid"),
        ([], "Invalid type for body"),
    ],
)
def test_a_bad_body_is_refused_in_the_words_of_the_api(body: object, expected: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        validate_experiment_body(body)
    assert expected in raised.value.message


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({"metrics": [{"name": "other"}]}, "names, objectives, strategies"),
        ({"parameters": [{"name": "b", "type": "int", "bounds": {"min": 0, "max": 1}}]}, "needs a default_value"),
        ({"parameters": [{"name": "a", "type": "int", "bounds": {"min": 0, "max": 1}}]}, "the type of the parameter a"),
        ({"num_solutions": 2}, "num_solutions cannot be changed"),
        ({"whatever": 2}, "Unknown json keys"),
    ],
)
def test_what_cannot_change_once_an_experiment_exists_is_said(update: dict, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        check_update(ExperimentSpec.model_validate(BODY), update)


def test_bounds_budget_and_bandwidth_can_change() -> None:
    update = {"budget": 20, "parallel_bandwidth": 3, "parameters": [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 2}}]}
    new = check_update(ExperimentSpec.model_validate(BODY), update)
    assert (new.budget, new.parallel_bandwidth, new.parameters[0].bounds.max) == (20, 3, 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["run", "experiment", "cluster"])
def test_the_schema_takes_our_own_files_and_no_unknown_key(kind: str) -> None:
    schema = json_schema(kind)  # type: ignore[arg-type]
    files = [*ROOT.glob(f"examples/*/{kind}.yml"), ROOT / f"trialflow/cli/templates/{kind}.yml"]
    for file in files:
        jsonschema.validate(yaml.safe_load(file.read_text()), schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**yaml.safe_load(file.read_text()), "nonsense": 1}, schema)
