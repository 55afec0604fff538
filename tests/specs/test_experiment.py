"""experiment.yml: every rule of it."""

import pytest

from trialflow.specs import ExperimentSpec


def body(**fields: object) -> dict:
    base = {"name": "x", "parameters": [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}], "budget": 10}
    return {**base, **fields}


def refused(**fields: object) -> str:
    with pytest.raises(ValueError) as raised:
        ExperimentSpec.model_validate(body(**fields))
    return str(raised.value)


def parameter(**fields: object) -> list[dict]:
    return [{"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}, **fields}]


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
