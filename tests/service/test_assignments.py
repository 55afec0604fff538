"""Which assignments are a point of an experiment's space."""

from typing import Any

import pytest

from trialflow.service.assignments import checked, explicit
from trialflow.service.errors import BadRequest

BODY: dict[str, Any] = {
    "parameters": [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}, "conditions": {"c": ["a"]}},
        {"name": "y", "type": "int", "bounds": {"min": 1, "max": 9}, "conditions": {"c": ["b", "d"]}},
        {"name": "k", "type": "categorical", "categorical_values": ["s", "t"]},
    ],
    "conditionals": [{"name": "c", "values": ["a", "b", "d"]}],
}
PLAIN: dict[str, Any] = {
    "parameters": [
        {"name": "g", "type": "double", "grid": [0.1, 0.2]},
        {"name": "l", "type": "double", "bounds": {"min": 0.1, "max": 1}, "transformation": "log"},
        {"name": "p", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "q", "type": "double", "bounds": {"min": 0, "max": 1}},
    ],
    "linear_constraints": [
        {"type": "less_than", "threshold": 0.3, "terms": [{"name": "p", "weight": 1}, {"name": "q", "weight": 1}]},
        {"type": "greater_than", "threshold": 0.1, "terms": [{"name": "p", "weight": 1}]},
    ],
}
POINT = {"g": 0.1, "l": 0.5, "p": 0.1, "q": 0.2}


@pytest.mark.parametrize(
    ("body", "given", "expected"),
    [
        (BODY, {"c": "a", "x": 0.5, "k": "s"}, None),
        (BODY, {"c": "d", "y": 3, "k": "t"}, None),
        (BODY, {"c": "d", "y": 3.0, "k": "t"}, None),
        (BODY, {"c": "a", "x": 0.5, "y": None, "k": "s"}, None),
        (BODY, {"c": "a", "x": 7, "k": "s"}, None),  # outside of the bounds: teaches as well
        (BODY, {"c": "a", "k": "s"}, 'Missing required json key "x"'),
        (BODY, {"x": 0.5, "k": "s"}, 'Missing required json key "c"'),
        (BODY, {"c": "a", "x": 0.5, "y": 3, "k": "s"}, "Do not give .assignments.y"),
        (BODY, {"c": "z", "x": 0.5, "k": "s"}, "z is not one of the allowed values: a, b, d"),
        (BODY, {"c": 1, "x": 0.5, "k": "s"}, "expected type string"),
        (BODY, {"c": "b", "y": 1.5, "k": "s"}, "expected type integer"),
        (BODY, {"c": "b", "y": "1", "k": "s"}, "expected type number"),
        (BODY, {"c": "b", "y": 1, "k": "u"}, "u is not one of the allowed values: s, t"),
        (BODY, {"c": "b", "y": 1, "k": "s", "more": 1}, "Unknown parameters in .assignments: more"),
        (BODY, [1], "expected type object"),
        (BODY, None, "expected type object"),
        (PLAIN, POINT, None),  # 0.1 + 0.2 is above 0.3 as floats add, not as people do
        (PLAIN, {**POINT, "g": 0.15}, "0.15 is not one of the allowed values: 0.1, 0.2"),
        (PLAIN, {**POINT, "l": 0}, ".assignments.l must be above 0"),
        (PLAIN, {**POINT, "q": 0.21}, "do not satisfy the constraint: 1*p + 1*q less than 0.3"),
        (PLAIN, {**POINT, "p": 0.05}, "do not satisfy the constraint: 1*p greater than 0.1"),
    ],
)
def test_a_point_has_all_active_parameters_and_nothing_else(body: dict, given: Any, expected: str | None) -> None:
    if expected is None:
        assert checked(body, given) == {name: value for name, value in given.items() if value is not None}
    else:
        with pytest.raises(BadRequest) as raised:
            checked(body, given)
        assert expected in raised.value.message


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"c": "a", "x": 0.5, "k": "s", "seed": 7}, {"c": "a", "x": 0.5, "k": "s"}),
        ({"c": "a", "k": "s"}, None),
        ({"c": "a", "x": "high", "k": "s"}, None),
        ({"c": "a", "x": 0.5, "y": 1, "k": "s"}, None),
        ({}, None),
    ],
)
def test_a_training_run_is_an_explicit_point_if_what_it_has_of_the_experiment_is_one(given: dict, expected: dict | None) -> None:
    assert explicit(BODY, given) == expected
