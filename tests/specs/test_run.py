"""run.yml: every rule of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trialflow.specs import FlowRunSpec, RunSpec, load_run, parameter_of


def test_a_text_is_for_the_shell_and_a_list_is_not() -> None:
    assert RunSpec.model_validate({"run": "python model.py | tee x"}).run == ["sh", "-c", "python model.py | tee x"]
    assert RunSpec.model_validate({"run": ["python", "model.py"]}).run == ["python", "model.py"]
    assert RunSpec.model_validate({}).run is None


@pytest.mark.parametrize(("given", "seconds"), [(90, 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), (0.5, 0.5)])
def test_a_timeout_is_seconds_or_has_its_unit(given: object, seconds: float) -> None:
    assert RunSpec.model_validate({"timeout": given}).timeout == seconds


@pytest.mark.parametrize(
    "image",
    [
        "x",
        "python:3.11-slim",
        "a/b/c:1",
        "host.example.com:5000/team/model",
        "localhost/x",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/my_repo/model:v1.2",
        "[::1]:5000/x",
        "x@sha256:" + "a" * 64,
        "ghcr.io/a/b--c__d:tag@sha256:" + "0" * 64,
    ],
)
def test_any_docker_reference_is_an_image(image: str) -> None:
    assert RunSpec.model_validate({"image": image}).image == image


@pytest.mark.parametrize("image", ["", "a b", "a/B", "a//b", "/a", "a/", "a:", "a:b:c", "a@sha256:12", "https://a/b", "a\n", ".a", "x" * 1000])
def test_nothing_else_is_an_image(image: str) -> None:
    with pytest.raises(ValidationError, match="expected an image such as"):
        RunSpec.model_validate({"image": image})


@pytest.mark.parametrize("quantity", [1, 0.5, "500m", "2Gi", "1e3", "1.5", "12E"])
def test_quantities_are_those_of_kubernetes(quantity: object) -> None:
    spec = RunSpec.model_validate({"resources": {"requests": {"cpu": quantity}}})
    assert spec.resources is not None and spec.resources.requests["cpu"] == quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: ''", "1:1: name: empty"),
        ("name: 5", "1:1: name: 5; expected text; put it in quotes"),
        ("run: ''", "1:1: run: ''; expected a command: a text for the shell, or a list of words"),
        ("run: []", "1:1: run: a list; expected a command"),
        ("run: {a: b}", "1:1: run: a mapping; expected a command"),
        ("run: [python, model.py, 5]", "1:25: run[2]: 5; expected text; put it in quotes"),
        (
            "image: UPPER:1",
            "1:1: image: 'UPPER:1'; expected an image such as registry.example.com:5000/team/model:tag; names are in lower case: upper:1",
        ),
        ("image: 3.11", "1:1: image: 3.11; expected text; put it in quotes"),
        ("env: {A: true}", '1:7: env.A: true; expected text or a number; put it in quotes, as in "true"'),
        ("env: {A: }", '1:7: env.A: nothing here; expected text or a number; an empty text is ""'),
        ("env: {A: [1]}", "1:7: env.A: a list; expected text or a number"),
        ("env: {A B: x}", "1:7: env.A B: this cannot be the name of an environment variable"),
        ("env: {1: x}", "1:7: env[1]: the key 1; keys are text; put it in quotes"),
        ("env: {str: true}", '1:7: env.str: true; expected text or a number; put it in quotes, as in "true"'),
        ("env: [A=1]", "1:1: env: a list; expected a mapping of keys to values"),
        ("metrics: {m: 'x=('}", "1:11: metrics.m: 'x=(' is no regular expression: missing ), unterminated subpattern at position 2"),
        ("metrics: {m: 'x='}", "1:11: metrics.m: 'x=' has 0 groups; exactly one, around the number, as in 'accuracy={number}'"),
        ("metrics: {m: '(x)=(y)'}", "1:11: metrics.m: '(x)=(y)' has 2 groups; exactly one"),
        ("metrics: {m: }", "1:11: metrics.m: nothing here; expected text"),
        ("timeout: soon", "1:1: timeout: 'soon'; expected seconds above 0, or a text such as \"90s\""),
        ("timeout: 0", "1:1: timeout: 0; expected seconds above 0"),
        ("timeout: -5m", "1:1: timeout: '-5m'; expected seconds above 0"),
        ("timeout: true", "1:1: timeout: true; expected seconds"),
        ("max_relaunches: -1", "1:1: max_relaunches: -1; it must be 0 or more"),
        ("max_relaunches: 1.5", "1:1: max_relaunches: 1.5; expected a whole number"),
        ("resources: {gpus: 1, limits: {nvidia.com/gpu: 1}}", "1:13: resources.gpus: limits has nvidia.com/gpu as well; give one of the two"),
        ("resources: {gpus: two}", "1:13: resources.gpus: 'two'; expected a whole number"),
        ("resources: {gpus: -1}", "1:13: resources.gpus: -1; it must be 0 or more"),
        ("resources: {requests: [cpu]}", "1:13: resources.requests: a list; expected a mapping of keys to values"),
        (
            "resources: {limits: {memory: 2GB}}",
            "1:22: resources.limits.memory: '2GB'; expected a quantity such as 2, 500m or 2Gi; did you mean \"2G\"?",
        ),
        ("resources: {limits: {memory: -1}}", "1:22: resources.limits.memory: -1; expected a quantity of 0 or more"),
        ("resources: {limits: {cpu: }}", "1:22: resources.limits.cpu: nothing here; expected a quantity such as 2, 500m or 2Gi"),
        ("resources: {request: {cpu: 1}}", '1:13: resources.request: unknown key; did you mean "requests"?'),
        ("aws: {aws_access_key_id: x}", "1:1: aws.aws_secret_access_key: missing; the secret access key"),
        ("aws: {aws_access_key_id: x, aws_secret_access_key: ''}", "1:29: aws.aws_secret_access_key: empty"),
        ("language: python", "1:1: language: unknown key; `run` has the command"),
        ("framework: x", "1:1: framework: unknown key; the Dockerfile says what is installed"),
        ("install: [x]", "1:1: install: unknown key; the Dockerfile says what is installed"),
        ("resources_per_model: {gpus: 1}", "1:1: resources_per_model: unknown key; `resources` has what a training run needs"),
        ("optimization: {}", "1:1: optimization: unknown key; experiment.yml has the experiment"),
        ("build_image: false", "1:1: build_image: unknown key; give `image` and no Dockerfile to use an image as it is"),
        ("rn: python", '1:1: rn: unknown key; did you mean "run"?'),
    ],
)
def test_what_is_wrong_is_said(problems: Callable[[str, str], list[str]], text: str, expected: str) -> None:
    (found,) = problems("run", text)
    assert found.startswith(expected)


KEYS = {"aws_access_key_id": "AKIAHUSH", "aws_secret_access_key": "hush"}


def test_aws_keys_are_taken_and_never_shown() -> None:
    spec = RunSpec.model_validate({"aws": KEYS})
    assert spec.aws is not None and spec.aws.aws_secret_access_key.get_secret_value() == "hush"
    assert "hush" not in (repr(spec) + str(spec) + spec.model_dump_json()).lower()


@pytest.mark.parametrize(
    "wrong",
    [
        {"aws": "AKIAHUSH:hush"},
        {"aws": ["AKIAHUSH", "hush"]},
        {"aws": {"aws_access_key_id": "AKIAHUSH"}},
        {"aws": {**KEYS, "aws_secret_acess_key": "hush"}},
        {"aws": {"aws_access_key_id": ["AKIAHUSH"], "aws_secret_access_key": {"hush": 1}}},
        {"aws": KEYS, "image": "A B"},
        {"aws": KEYS, "env": {"A B": "x"}},
        {"aws": KEYS, "metrics": {"m": "("}},
        {"aws": KEYS, "resources": {"gpus": 1, "limits": {"nvidia.com/gpu": 1}}},
        {"aws": KEYS, "zzz": 1},
    ],
)
def test_no_error_shows_aws_keys_nor_carries_them_on(problems: Callable[[str, str], list[str]], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        RunSpec.model_validate(wrong)
    assert "hush" not in (str(raised.value) + repr(raised.value) + str(raised.value.errors())).lower()
    assert "hush" not in "\n".join(problems("run", str(wrong))).lower()


def test_what_goes_to_a_flow_as_json_comes_back_the_same() -> None:
    given = {"name": "n", "run": "x", "env": {"A": 1}, "timeout": "2m", "metrics": {"m": "m=(.*)"}, "resources": {"requests": {"cpu": 1}, "gpus": 2}}
    spec = RunSpec.model_validate(given)
    assert RunSpec.model_validate(spec.model_dump(mode="json", exclude_none=True)) == spec
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_variables_reach_the_model_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "run.yml"
    path.write_text("env: {MODE: 0755, VERSION: 1.10, PORTS: 22:22, ZIP: 01234, DAY: 2026-01-02, TEXT: 'a'}")
    assert load_run(path).env == {"MODE": "0755", "VERSION": "1.10", "PORTS": "22:22", "ZIP": "01234", "DAY": "2026-01-02", "TEXT": "a"}


def test_a_shell_variable_in_a_list_is_noted() -> None:
    assert "`$LR`" in RunSpec.model_validate({"run": ["python", "model.py", "$LR"]}).notes[0]
    assert not RunSpec.model_validate({"run": "python model.py $LR"}).notes


def test_a_number_of_gpus_may_be_in_quotes() -> None:
    spec = RunSpec.model_validate({"resources": {"gpus": "1"}})
    assert spec.resources is not None and spec.resources.gpus == 1


def test_a_flow_parameter_holds_no_keys() -> None:
    flow = TypeAdapter(FlowRunSpec)
    assert flow.validate_python({"run": "x"}).run == ["sh", "-c", "x"]
    with pytest.raises(ValidationError, match="AWS credentials block") as raised:
        flow.validate_python({"aws": KEYS})
    assert "hush" not in str(raised.value)
    schema = flow.json_schema()
    assert "aws" not in schema["properties"] and schema["additionalProperties"] is False


def test_a_flow_parameter_always_says_how_the_model_is_started() -> None:
    assert parameter_of(RunSpec.model_validate({"image": "host/model:1"})) == {"run": "[]", "image": "host/model:1"}
    assert parameter_of(RunSpec.model_validate({"run": ["python", "model.py"]})) == {"run": '["python", "model.py"]'}
    assert parameter_of(RunSpec.model_validate({"run": "python model.py"})) == {"run": "python model.py"}
    assert "run" in TypeAdapter(FlowRunSpec).json_schema()["required"]
