"""What is written loads to the same, for every experiment that a file may hold."""

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialflow.launcher.model import variable_of
from trialflow.specs import ExperimentSpec, RunSpec, json_schema, load_experiment, to_yaml

NAMES = st.text(min_size=1, max_size=12)
NUMBERS = st.floats(-1e12, 1e12).map(lambda value: round(value, 6)) | st.integers(-(10**9), 10**9)
SCHEMA = jsonschema.Draft202012Validator(json_schema("experiment"))


@st.composite
def numeric(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["int", "double"]))
    values = st.integers(-1000, 1000) if kind == "int" else NUMBERS
    one: dict[str, Any] = {"name": name, "type": kind}
    if draw(st.booleans()):
        one["grid"] = draw(st.lists(values, min_size=2, max_size=5, unique_by=float))
    else:
        low = draw(values)
        one["bounds"] = {"min": low, "max": low + draw(st.integers(1, 100))}
        if kind == "double" and 0 < low < 1e7 and draw(st.booleans()):
            one["transformation"] = "log"
        elif kind == "double" and draw(st.booleans()):
            one["prior"] = draw(st.sampled_from([{"name": "normal", "mean": low, "scale": 0.5}, {"name": "beta", "shape_a": 2, "shape_b": 1e-05}]))
    return one


@st.composite
def categorical(draw: st.DrawFn, name: str) -> dict[str, Any]:
    values = draw(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=4, unique=True))
    return {"name": name, "type": "categorical", "categorical_values": values, "default_value": draw(st.sampled_from(values))}


@st.composite
def experiments(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique_by=variable_of))
    choice = names.pop()
    values = draw(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=3, unique=True))
    parameters = [draw(numeric(name) | categorical(name)) for name in names]
    body: dict[str, Any] = {"name": draw(NAMES), "parameters": parameters, "metrics": [{"name": draw(NAMES)}]}
    if draw(st.booleans()) and len(parameters) > 1:
        body["conditionals"] = [{"name": choice, "values": values}]
        parameters[1]["conditions"] = {choice: draw(st.lists(st.sampled_from(values), min_size=1, unique=True))}
    body["metrics"][0] |= draw(st.sampled_from([{}, {"objective": "minimize"}, {"strategy": "optimize"}]))
    body |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "budget": st.integers(1, 1000),
                "parallel_bandwidth": st.integers(1, 9),
                "type": st.sampled_from(["offline", "random"]),
                "metadata": st.dictionaries(st.text(max_size=9), NUMBERS | st.text(max_size=9) | st.none(), max_size=3),
            },
        )
    )
    return body


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=experiments())
def test_every_experiment_comes_back_from_its_file_its_json_and_the_api(tmp_path: Any, body: dict[str, Any]) -> None:
    spec = ExperimentSpec.model_validate(body)
    file = tmp_path / "experiment.yml"
    file.write_text(to_yaml(spec), encoding="utf-8")
    assert load_experiment(file) == spec
    assert ExperimentSpec.model_validate(spec.model_dump(mode="json", exclude_none=True)) == spec
    assert ExperimentSpec.model_validate(spec.to_api()).to_api() == spec.to_api()
    SCHEMA.validate(yaml.safe_load(to_yaml(spec)))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"run": "python model.py | tee 'x y'"},
        {"run": ["python", "model.py", "-c", "1"]},
        {"run": ["sh", "-c", "x", "y"]},
        {"env": {"A": "yes", "B": "1", "C": 1.5, "D": ""}, "timeout": "15m", "max_relaunches": 0},
        {"assignments": {"a": 1e-05, "b": 1, "c": "1e5"}, "metrics": {"m": "^m: (.*)$"}},
        {"resources": {"requests": {"cpu": 0.5}, "limits": {"memory": "2Gi"}, "gpus": 1}, "image": "a/b:1"},
        {"aws": {"aws_access_key_id": "A", "aws_secret_access_key": "S"}},
    ],
)
def test_every_way_to_run_comes_back_from_its_file(load: Callable[[str, str], Any], given: dict[str, Any]) -> None:
    spec = RunSpec.model_validate(given)
    assert load("run", to_yaml(spec)) == spec


def test_a_command_for_the_shell_is_written_as_people_write_it() -> None:
    assert to_yaml(RunSpec.model_validate({"run": "python model.py"})) == "run: python model.py\n"
