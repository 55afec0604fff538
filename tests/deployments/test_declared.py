"""Every flow is deployed, prefect.yaml is what the declared deployments make of it, and the forms in the UI have words on every field."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import ValidationError, validate

from deployments.declared import DEPLOYMENTS, Deployment
from deployments.project_file import project_file
from deployments.registration import BLOCKS, load
from deployments.schema import form_of, with_titles
from flows.crashes import PARAMETERS

ROOT = Path(__file__).parents[2]


def schema_of(one: Deployment) -> dict[str, Any]:
    return form_of(parameter_schema(load(one.entrypoint)).model_dump(exclude_unset=True))


def schema_named(name: str) -> dict[str, Any]:
    return schema_of(next(one for one in DEPLOYMENTS if one.name == name))


def fields(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a form, with its place."""
    if isinstance(node, list):
        for one in node:
            yield from fields(one, path)
    if isinstance(node, dict):
        for name, field in (node.get("properties") or {}).items():
            yield f"{path}/{name}", field
        for name, one in node.items():
            yield from fields(one, f"{path}/{name}")


def test_prefect_yaml_is_what_the_declared_deployments_make_of_it() -> None:
    assert (ROOT / "prefect.yaml").read_text() == project_file(), "`python -m deployments` writes it"


def test_every_flow_is_deployed_under_its_name() -> None:
    flows = {match[1] for path in (ROOT / "flows").glob("*.py") for match in re.finditer(r'@flow\(\s*name="([^"]+)"', path.read_text())}
    assert {one.name for one in DEPLOYMENTS} == flows and len(DEPLOYMENTS) == len(flows) >= 11
    assert all(load(one.entrypoint).name == one.name for one in DEPLOYMENTS)


def test_prefect_yaml_names_each_deployment_once() -> None:
    names = [one["name"] for one in yaml.safe_load(project_file())["deployments"]]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one.name)
def test_every_field_of_the_form_has_a_title_and_a_description(one: Deployment) -> None:
    unlabelled = [place for place, field in fields(schema_of(one)) if not field.get("title") or not field.get("description")]
    assert not unlabelled


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one.name)
def test_every_choice_of_the_form_has_a_name(one: Deployment) -> None:
    schema = schema_of(one)
    unnamed = [
        (place, option)
        for place, field in fields(schema)
        for option in field.get("anyOf") or []
        if not option.get("title") and not schema["definitions"].get(option.get("$ref", "").rpartition("/")[2], {}).get("title")
    ]
    assert not unnamed and "oneOf" not in str(schema), unnamed


@pytest.mark.parametrize("name", ["optimize", "training-run", "worker"])
def test_how_the_model_is_started_is_one_text_that_has_to_be_given(name: str) -> None:
    schema = schema_named(name)
    (run,) = [field for place, field in fields(schema) if place.endswith("/run/run")]
    assert (run["title"], run["type"]) == ("Command", "string") and not {"anyOf", "oneOf", "default"} & set(run)
    given: dict[str, Any] = {"experiment": GOOD, "directory": "/m", "experiment_id": "1"}
    for good in ("python train.py", '["python", "train.py"]', "[]"):
        validate({**given, "run": {"run": good}}, schema, raise_on_error=True)
    for bad, said in ((["python"], "is not of type 'string'"), (None, "None is not of type 'string'"), ("", "'' should be non-empty")):
        with pytest.raises(ValidationError, match=f"'run.run'.*{said}"):
            validate({**given, "run": {"run": bad}}, schema, raise_on_error=True)
    with pytest.raises(ValidationError, match="'run'.*'run' is a required property"):
        validate({**given, "run": {}}, schema, raise_on_error=True)


def test_a_number_is_a_number() -> None:
    experiment = schema_named("optimize")["definitions"]["ExperimentSpec"]["properties"]
    assert experiment["max_cost"]["type"] == "number" and experiment["max_cost"]["exclusiveMinimum"] == 0
    with pytest.raises(ValidationError):
        validate({"experiment": {**GOOD, "max_cost": 0}, "run": {"run": "true"}, "directory": "/m"}, schema_named("optimize"), raise_on_error=True)


def test_titles_that_were_chosen_stay_and_others_are_the_names_in_words() -> None:
    schema = {"properties": {"api_url": {"title": "Service URL"}, "max_relaunches": {"title": "Max Relaunches"}, "aws": {"title": "aws"}}}
    assert {name: field["title"] for name, field in with_titles(schema)["properties"].items()} == {
        "api_url": "Service URL",
        "max_relaunches": "Max relaunches",
        "aws": "AWS credentials",
    }


PARAMETER = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
GOOD = {"name": "e", "parameters": [PARAMETER], "metrics": [{"name": "y"}], "budget": 3}


@pytest.mark.parametrize(
    ("parameters", "is_good"),
    [
        ({"experiment": GOOD, "run": {"run": "true"}, "directory": "/m"}, True),
        ({name: None for name in PARAMETERS} | {"experiment": GOOD, "run": {"run": "[]"}, "directory": "/m", "options": {"new": False}}, True),
        ({"experiment": GOOD, "run": {"run": "true"}}, False),
        ({"experiment": GOOD, "run": {"run": "true"}, "directory": None}, False),
        ({"experiment": {**GOOD, "budget": None}, "run": {"run": "true"}, "directory": "/m"}, True),
        ({"experiment": GOOD, "run": {"run": '["python", "model.py"]', "timeout": "15m"}, "directory": "/m", "options": {"canary": False}}, True),
        ({"experiment": {**GOOD, "budget": 0}, "run": {"run": "true"}, "directory": "/m"}, False),
        ({"experiment": {**GOOD, "parameters": []}, "run": {"run": "true"}, "directory": "/m"}, False),
        ({"experiment": GOOD, "run": {"run": "true", "aws": {"aws_access_key_id": "A", "aws_secret_access_key": "B"}}, "directory": "/m"}, False),
        ({"experiment": GOOD, "run": {"run": "true"}, "options": {"stop_after_failures": -1}, "directory": "/m"}, False),
        ({"experiment": GOOD, "run": {"run": "true"}, "options": {"when_finished": "never"}, "directory": "/m"}, False),
        ({"run": {"run": "true"}, "directory": "/m"}, False),
    ],
)
def test_the_server_tells_good_parameters_from_bad_ones_by_the_schema(parameters: dict[str, Any], is_good: bool) -> None:
    schema = schema_named("optimize")
    if is_good:
        validate(parameters, schema, raise_on_error=True)
        return
    with pytest.raises(ValidationError):
        validate(parameters, schema, raise_on_error=True)


def test_keys_in_a_run_are_refused_by_their_name_alone_and_the_form_has_a_list_of_blocks_instead() -> None:
    schema = schema_named("optimize")
    run = {"run": "true", "aws": {"aws_access_key_id": "hush", "aws_secret_access_key": "hush"}}
    with pytest.raises(ValidationError, match="'aws' was unexpected") as refused:
        validate({"experiment": GOOD, "run": run, "directory": "/m"}, schema, raise_on_error=True)
    assert "hush" not in str(refused.value)
    assert schema["properties"]["aws"]["block_type_slug"] == "aws-credentials"


def test_fields_keep_their_order_in_a_database_that_does_not() -> None:
    fields_of = schema_named("optimize")["definitions"]["ExperimentSpec"]["properties"]
    assert [name for name, _ in sorted(fields_of.items(), key=lambda one: one[1]["position"])][:4] == ["name", "parameters", "metrics", "budget"]


def test_a_field_that_may_be_left_out_is_no_choice_between_a_value_and_nothing() -> None:
    definitions = schema_named("optimize")["definitions"]
    budget = definitions["ExperimentSpec"]["properties"]["budget"]
    assert budget["type"] == "integer" and "anyOf" not in budget and "default" not in budget
    assert "budget" not in definitions["ExperimentSpec"]["required"]


def test_a_group_of_fields_that_may_be_left_out_is_off_until_it_is_chosen_if_some_of_it_is_required() -> None:
    schema = schema_named("optimize")
    group = schema["definitions"]["ExperimentSpec"]["properties"]["early_stopping"]
    assert group["default"] is None and [one.get("title") for one in group["anyOf"]] == [None, "Nothing"]
    assert schema["definitions"]["EarlyStoppingSpec"]["title"] == "Early stopping"
    left_out = {"experiment": {**GOOD, "early_stopping": None, "mlflow": None}, "run": {"run": "true"}, "directory": "/m", "cluster": None}
    validate(left_out, schema, raise_on_error=True)
    cpu = schema_named("cluster-create")["properties"]["config"]["properties"]["cpu"]
    assert cpu["default"] is None and [one.get("title") for one in cpu["anyOf"]] == [None, "List", "Nothing"]


@pytest.mark.parametrize("name", ["cluster-create", "cluster-update"])
def test_a_server_refuses_keys_in_the_parameters_of_a_cluster_before_it_keeps_them(name: str) -> None:
    config = {"provider": "aws", "cluster_name": "mine", "cpu": {"instance_type": "t3.large", "min_nodes": 0, "max_nodes": 2}}
    policies = {"additional_policies": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}
    schema = schema_named(name)
    validate({"config": {**config, "aws": policies}}, schema, raise_on_error=True)
    with pytest.raises(ValidationError):
        validate({"config": {**config, "aws": {**policies, "aws_access_key_id": "A", "aws_secret_access_key": "B"}}}, schema, raise_on_error=True)


def test_whoever_registers_the_blocks_as_prefect_does_gets_all_of_them() -> None:
    import blocks

    assert {path.rpartition(".")[2] for path in BLOCKS} == set(blocks.__all__)


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one.name)
def test_every_flow_ends_with_a_state_that_says_its_error_and_what_to_do(one: Deployment) -> None:
    assert hasattr(load(one.entrypoint).fn, "__wrapped__"), "errors_as_states wraps it"
