"""experiment.yml: every rule, told with file, line and field."""

from pathlib import Path
from textwrap import dedent

import pytest

from trialflow.specs import ExperimentSpec, SpecError, load_experiment, to_yaml

GOOD = """\
name: x
parameters:
  - {name: a, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: m}
budget: 10
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a file, without its path: `line:column: field: what`."""
    file = tmp_path / "experiment.yml"
    file.write_text(dedent(text))
    with pytest.raises(SpecError) as raised:
        load_experiment(file)
    return [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems]


def body(**fields: object) -> dict:
    base = {"name": "x", "parameters": [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}], "budget": 10}
    return {**base, **fields}


def refused(**fields: object) -> str:
    with pytest.raises(ValueError) as raised:
        ExperimentSpec.model_validate(body(**fields))
    return str(raised.value)


def parameter(**fields: object) -> list[dict]:
    return [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}, **fields}]


def test_all_problems_of_a_file_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
    name: x
    parameters:
      - name: a
        typ: double
        bounds: {min: 0, max: 1}
      - {name: b, type: doubel, bounds: {min: 0, max: 1}}
      - {name: c, type: int, bounds: {min: 0, max: "3"}}
    metrics:
      - {name: m, strategy: maximize}
    parallel_bandwith: 2
    """
    assert problems(tmp_path, text) == [
        "3:5: parameters[0].type: missing; kind of value",
        '4:5: parameters[0].typ: unknown key; did you mean "type"?',
        "6:15: parameters[1].type: 'doubel'; allowed: double, int, categorical; did you mean \"double\"?",
        "7:43: parameters[2].bounds.max: '3'; expected a number",
        "9:15: metrics[0].strategy: 'maximize'; allowed: optimize, constraint, store; did you mean \"optimize\"?",
        '10:1: parallel_bandwith: unknown key; did you mean "parallel_bandwidth"?',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty; expected keys and values, such as `name: ...`"),
        ("- 1\n", "1:1: a list at the top; expected keys and values, such as `name: ...`"),
        (GOOD + "name: y\n", "7:1: name: this key is there twice"),
        (
            "name: #[your name]\n" + GOOD.split("\n", 1)[1],
            "1:1: name: nothing here (a `#[...]` placeholder counts as nothing); shown in lists and in the ui",
        ),
        (GOOD + "project: p\n", "7:1: project: unknown key; the project is given by --project, SIGOPT_PROJECT or the folder's name"),
        (GOOD + "observation_budget: 3\n", "7:1: observation_budget: unknown key; `budget` says how many training runs"),
    ],
)
def test_what_is_no_experiment_at_all_is_told_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "experiment.yml"
    file.write_text(text)
    with pytest.raises(SpecError) as raised:
        load_experiment(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems] == [expected]


def test_a_tab_is_named(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "name: x\nparameters:\n\t- {name: a}\n")
    assert "this is not YAML" in found and "tab" in found


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file") as raised:
        load_experiment(tmp_path / "experiment.yml")
    assert raised.value.hint == "`trialflow init` writes one to start from"


@pytest.mark.parametrize("budget", [0, -1, 60.5, "1", True])
def test_a_budget_is_a_whole_number_above_zero(budget: object) -> None:
    assert refused(budget=budget)


def test_a_budget_may_be_written_as_a_float_or_left_out() -> None:
    assert ExperimentSpec.model_validate(body(budget=60.0)).budget == 60
    assert ExperimentSpec.model_validate(body(budget=None)).budget is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parameters": []}, "at least 1 item"),
        ({"parameters": parameter(bounds=None)}, "double needs bounds"),
        ({"parameters": parameter(bounds={"min": 1, "max": 1})}, "max 1 must be greater than min 1"),
        ({"parameters": parameter(type="int", bounds={"min": 0.5, "max": 3})}, "must be whole numbers"),
        ({"parameters": parameter(transformation="log")}, "with transformation log it must be above 0"),
        ({"parameters": parameter(type="int", transformation="log")}, "log is for double parameters"),
        ({"parameters": parameter(grid=[1, 2])}, "not together with grid"),
        ({"parameters": parameter(bounds=None, grid=[1, 1])}, "all different"),
        ({"parameters": parameter(type="categorical")}, "a categorical parameter has no bounds"),
        ({"parameters": [{"name": "a", "type": "categorical", "categorical_values": ["x"]}]}, "at least 2 are needed"),
        ({"parameters": [{"name": "a", "type": "categorical", "categorical_values": ["x", "x"]}]}, "values must differ"),
        ({"parameters": parameter() * 2}, "is there twice"),
        ({"parameters": parameter(prior={"name": "normal", "mean": 2, "scale": 1})}, "outside of the bounds"),
        ({"parameters": parameter(prior={"name": "beta", "shape_a": 0, "shape_b": 1})}, "it must be above 0"),
        ({"parameters": parameter(default_value=3)}, "outside of the bounds"),
        ({"parameters": parameter(conditions={"c": "x"})}, "there is no conditional 'c'"),
        ({"metrics": [{"name": "m", "strategy": "store"}]}, "at least one has strategy optimize or constraint"),
        ({"metrics": [{"name": "m", "strategy": "constraint"}]}, "a constraint needs the value"),
        ({"metrics": [{"name": "m", "threshold": 1}]}, "only with two metrics to optimize"),
        ({"metrics": [{"name": c} for c in "abc"]}, "3 metrics to optimize; at most 2"),
        ({"metrics": [{"name": "a"}, {"name": "b"}], "budget": None}, "two metrics to optimize needs one"),
        ({"conditionals": [{"name": "a", "values": ["x", "y"]}]}, "is the name of a parameter too"),
        ({"type": "grid"}, "every numeric parameter lists its values"),
        ({"type": "grid", "parameters": parameter(bounds=None, grid=[1, 2, 3]), "budget": 4}, "the grid has 3 points"),
        ({"num_solutions": 11}, "11 solutions do not fit into a budget of 10"),
        ({"linear_constraints": [{"type": "less_than", "threshold": -1, "terms": [{"name": "a", "weight": 1}]}]}, "cannot be reached"),
        ({"linear_constraints": [{"type": "less_than", "threshold": 1, "terms": [{"name": "z", "weight": 1}]}]}, "no parameter 'z'"),
        ({"metadata": {"k": "v" * 501}}, "501 characters; at most 500"),
        ({"name": "n" * 101}, "at most 100 characters"),
    ],
)
def test_a_rule_that_is_broken_is_said(fields: dict, expected: str) -> None:
    assert expected in refused(**fields)


def test_a_conditional_that_leaves_nothing_active_is_refused() -> None:
    parameters = [{"name": "a", "type": "int", "bounds": {"min": 1, "max": 2}, "conditions": {"c": "x"}}]
    assert "with c=y no parameter is active" in refused(parameters=parameters, conditionals=[{"name": "c", "values": ["x", "y"]}])


def test_what_the_api_answers_can_be_sent_back() -> None:
    echoed = {
        "object": "parameter",
        "name": "c",
        "type": "categorical",
        "categorical_values": [{"object": "categorical_value", "name": "x", "enum_index": 1}, {"name": "y", "enum_index": 2}],
        "bounds": None,
        "grid": None,
        "prior": None,
        "conditions": {},
        "transformation": "none",
    }
    spec = ExperimentSpec.model_validate(body(parameters=[echoed]))
    assert spec.parameters[0].categorical_values == ["x", "y"]


def test_a_grid_has_the_budget_of_its_points() -> None:
    spec = ExperimentSpec.model_validate(body(type="grid", parameters=parameter(bounds=None, grid=[1, 2, 3]), budget=None))
    assert spec.to_api()["budget"] == 3


def test_a_written_file_loads_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    spec = load_experiment(tmp_path / "a.yml")
    (tmp_path / "b.yml").write_text(to_yaml(spec))
    assert load_experiment(tmp_path / "b.yml") == spec
