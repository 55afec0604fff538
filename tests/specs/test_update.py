"""What may change of an experiment once it exists."""

from typing import Any

import pytest

from trialflow.errors import InvalidInput
from trialflow.specs import ExperimentSpec, check_update

DOUBLE = {"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}
BODY: dict[str, Any] = {"name": "x", "parameters": [DOUBLE], "metrics": [{"name": "m"}], "budget": 10}
GRID: dict[str, Any] = {"name": "x", "type": "grid", "metrics": [{"name": "m"}], "parameters": [{"name": "a", "type": "int", "grid": [1, 2]}]}
TWO: dict[str, Any] = {**BODY, "metrics": [{"name": "m"}, {"name": "n"}]}
CONDITIONAL: dict[str, Any] = {
    **BODY,
    "conditionals": [{"name": "c", "values": ["x", "y"]}, {"name": "b", "values": ["1", "2"]}],
    "parameters": [{**DOUBLE, "conditions": {"c": "x"}}, {**DOUBLE, "name": "z"}],
}
CONSTRAINED: dict[str, Any] = {**BODY, "linear_constraints": [{"type": "less_than", "threshold": 1, "terms": [{"name": "a", "weight": 1}]}]}


def updated(body: dict[str, Any], **fields: Any) -> ExperimentSpec:
    return check_update(ExperimentSpec.model_validate(body), fields)


@pytest.mark.parametrize(
    ("body", "update", "expected"),
    [
        (BODY, {"metrics": [{"name": "other"}]}, "names, objectives, strategies and number of metrics"),
        (BODY, {"metrics": [{"name": "m"}, {"name": "n", "strategy": "store"}]}, "names, objectives, strategies and number of metrics"),
        (BODY, {"metrics": [{"name": "m", "objective": "minimize"}]}, "names, objectives, strategies and number of metrics"),
        (TWO, {"metrics": [{"name": "m"}]}, "names, objectives, strategies and number of metrics"),
        (BODY, {"parameters": [{"name": "b", "type": "int", "bounds": {"min": 0, "max": 1}}]}, "the new parameter b needs a default_value"),
        (BODY, {"parameters": [{**DOUBLE, "type": "int"}]}, "the type of the parameter a cannot be changed"),
        (BODY, {"parameters": [{**DOUBLE, "bounds": {"min": 1, "max": 2}, "transformation": "log"}]}, "the transformation of the parameter a"),
        (CONDITIONAL, {"parameters": [DOUBLE, {**DOUBLE, "name": "z"}]}, "the conditions of the parameter a cannot be changed"),
        (CONDITIONAL, {"conditionals": [{"name": "c", "values": ["x", "y"]}]}, "conditionals cannot be changed"),
        (CONDITIONAL, {"conditionals": None}, "conditionals cannot be changed"),
        (CONSTRAINED, {"linear_constraints": []}, "linear_constraints cannot be changed"),
        (CONSTRAINED, {"parameters": [{**DOUBLE, "bounds": {"min": 2, "max": 3}}]}, "1 cannot be reached within the bounds"),
        (BODY, {"num_solutions": 2}, "num_solutions cannot be changed"),
        (BODY, {"type": "random"}, "type cannot be changed"),
        (GRID, {"parameters": [{"name": "a", "type": "int", "grid": [1, 2, 3]}]}, "parameters of an experiment with type grid cannot be changed"),
        (GRID, {"budget": 3}, "the budget of an experiment with type grid cannot be changed"),
        (TWO, {"budget": 30}, "the budget of an experiment with two metrics to optimize cannot be changed"),
        ({**BODY, "num_solutions": 2}, {"budget": 30}, "the budget of an experiment with several solutions cannot be changed"),
        (BODY, {"parameters": []}, "The length of .parameters must be greater than or equal to 1"),
        (BODY, {"budget": 0}, "Invalid value for .budget"),
        (BODY, {"metrics": "m"}, "Invalid type for .metrics"),
        (BODY, {"whatever": 2}, "Unknown json keys `whatever` in"),
        (BODY, {"tasks": []}, "Unknown json keys `tasks` in"),
    ],
)
def test_what_cannot_change_is_said(body: dict[str, Any], update: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        updated(body, **update)
    assert expected in raised.value.message


def test_bounds_budget_bandwidth_name_and_metadata_can_change() -> None:
    new = updated(BODY, name="y", budget=20, parallel_bandwidth=3, metadata={"k": 1}, parameters=[{**DOUBLE, "bounds": {"min": 0, "max": 2}}])
    assert (new.name, new.budget, new.parallel_bandwidth, new.metadata) == ("y", 20, 3, {"k": 1})
    assert new.parameters[0].bounds is not None and new.parameters[0].bounds.max == 2


def test_what_is_not_mentioned_stays() -> None:
    old = ExperimentSpec.model_validate({**BODY, "metadata": {"k": 1}, "parallel_bandwidth": 2})
    assert check_update(old, {"name": "y"}) == ExperimentSpec.model_validate({**old.to_api(), "name": "y"})


def test_null_takes_away_what_may_be_missing() -> None:
    new = updated({**BODY, "parallel_bandwidth": 3, "metadata": {"k": 1}}, budget=None, parallel_bandwidth=None, metadata=None)
    assert (new.budget, new.parallel_bandwidth, new.metadata) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"k": 2}, {"trialflow_key": "a", "k": 2}),
        ({"trialflow_key": "b"}, {"trialflow_key": "b"}),
        ({"trialflow_key": None}, {"trialflow_key": None}),
        ({}, {"trialflow_key": "a"}),
        (None, {"trialflow_key": "a"}),
    ],
)
def test_new_metadata_leave_the_keys_of_trialflow_unless_they_are_given_anew(given: Any, expected: Any) -> None:
    assert updated({**BODY, "metadata": {"trialflow_key": "a", "k": 1}}, metadata=given).metadata == expected


def test_metadata_of_the_wrong_type_are_still_refused() -> None:
    with pytest.raises(InvalidInput):
        updated({**BODY, "metadata": {"trialflow_key": "a"}}, metadata=[1])


def test_a_parameter_with_a_default_comes_and_one_left_out_goes() -> None:
    new = updated(BODY, parameters=[{"name": "b", "type": "int", "bounds": {"min": 0, "max": 5}, "default_value": 2}])
    assert [one.name for one in new.parameters] == ["b"]


def test_a_threshold_changes_and_the_rest_of_the_metric_stays() -> None:
    body = {**BODY, "metrics": [{"name": "m", "objective": "minimize"}, {"name": "n", "strategy": "constraint", "threshold": 1}]}
    new = updated(body, metrics=[{"name": "n", "threshold": 2}, {"name": "m"}])
    assert sorted((one.name, one.objective, one.threshold) for one in new.metrics) == [("m", "minimize", None), ("n", "maximize", 2)]


def test_a_client_may_send_everything_back_as_it_was_answered() -> None:
    echo = {
        "object": "aiexperiment",
        "id": "3",
        "state": "active",
        "type": "offline",
        "num_solutions": None,
        "linear_constraints": [],
        "conditionals": [
            {"object": "conditional", "name": "b", "values": ["1", "2"]},
            {"object": "conditional", "name": "c", "values": ["x", "y"]},
        ],
    }
    old = ExperimentSpec.model_validate(CONDITIONAL)
    assert check_update(old, echo).to_api() == old.to_api()
    constraint = {
        "object": "linear_constraint",
        "type": "less_than",
        "threshold": 1.0,
        "terms": [{"object": "term", "name": "a", "weight": 1}],
    }
    assert updated(CONSTRAINED, linear_constraints=[constraint]).linear_constraints is not None
    assert updated(GRID, type="grid", budget=2, parameters=[{"name": "a", "type": "int", "grid": [1, 2]}]).full_budget == 2
