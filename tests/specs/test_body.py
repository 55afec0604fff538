"""What comes over HTTP: the same rules, in the words of the API."""

from typing import Any

import pytest

from trialflow.errors import InvalidInput
from trialflow.specs import validate_experiment_body

PARAMETER = {"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}
BODY: dict[str, Any] = {"name": "x", "parameters": [PARAMETER], "metrics": [{"name": "m"}], "budget": 10}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "x", "metrics": [{"name": "m"}]}, 'Missing required json key "parameters" in: {"name": "x", "metrics": [{"name": "m"}]}'),
        ({**BODY, "name": None}, 'Missing required json key "name" in: {"parameters": ['),
        ({**BODY, "metrics": [{}]}, 'Missing required json key "name" in: {}'),
        ({**BODY, "parameters": [{"name": "a"}]}, 'Missing required json key "type" in: {"name": "a"}'),
        ({**BODY, "zzz": 1}, "Unknown json keys `zzz` in: {"),
        ({**BODY, "tasks": []}, "Unknown json keys `tasks` in: {"),
        ({**BODY, "project": "p"}, "Unknown json keys `project` in: {"),
        ({**BODY, "observation_budget": 3}, "Unknown json keys `observation_budget` in: {"),
        ({**BODY, "parameters": [{**PARAMETER, "z": 1}]}, 'Unknown json keys `z` in: {"name": "a"'),
        ({**BODY, "budget": 60.5}, "Invalid type for .budget: 60.5 - expected type ['integer', 'null']"),
        ({**BODY, "budget": "1"}, "Invalid type for .budget: \"1\" - expected type ['integer', 'null']"),
        ({**BODY, "budget": True}, "Invalid type for .budget: true - expected type ['integer', 'null']"),
        ({**BODY, "budget": 0}, "Invalid value for .budget: 0 - it must be above 0"),
        ({**BODY, "parallel_bandwidth": 1.5}, "Invalid type for .parallel_bandwidth: 1.5 - expected type ['integer', 'null']"),
        ({**BODY, "type": "x"}, "x is not one of the allowed values: grid, offline, random"),
        ({**BODY, "name": "n" * 101}, "The length of .name must be less than or equal to 100"),
        ({**BODY, "name": ""}, "The length of .name must be greater than or equal to 1"),
        ({**BODY, "name": 5}, "Invalid type for .name: 5 - expected type ['string']"),
        ({**BODY, "parameters": []}, "The length of .parameters must be greater than or equal to 1"),
        ({**BODY, "metrics": "m"}, "Invalid type for .metrics: \"m\" - expected type ['array']"),
        ({**BODY, "metrics": ["m"]}, "Invalid type for .metrics[0]: \"m\" - expected type ['object']"),
        ({**BODY, "metadata": {"k": True}}, "Invalid type for .metadata.k: true - expected type ['number', 'string', 'null']"),
        (
            {**BODY, "parameters": [{**PARAMETER, "bounds": {"min": None, "max": 1}}]},
            "Invalid type for .parameters[0].bounds.min: null - expected type ['number']",
        ),
        (
            {**BODY, "parameters": [{"name": "c", "type": "categorical", "categorical_values": ["x", {"name": 5}]}]},
            "Invalid type for .parameters[0].categorical_values[1]: 5 - expected type ['string']",
        ),
        (
            {**BODY, "metrics": [{"name": "m", "strategy": "constraint"}]},
            "Invalid value for .metrics[0].threshold: missing: a constraint needs the value",
        ),
        ([], "Invalid type for .: [] - expected type ['object']"),
        (None, "Invalid type for .: null - expected type ['object']"),
    ],
)
def test_a_bad_body_is_refused_in_the_words_of_the_api(body: object, expected: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        validate_experiment_body(body)
    assert raised.value.message.startswith(expected)


def test_several_things_wrong_are_one_message() -> None:
    with pytest.raises(InvalidInput) as raised:
        validate_experiment_body({"name": 5, "parameters": [], "metrics": "m"})
    assert raised.value.message.count("; ") == 2


def test_a_body_of_any_size_is_a_message_of_few_words() -> None:
    with pytest.raises(InvalidInput) as raised:
        validate_experiment_body({**BODY, "zzz": "z" * 10_000, "parameters": [{"name": "n" * 10_000}] * 1000})
    assert len(raised.value.message) < 2000


def test_what_the_api_answers_can_be_sent_back() -> None:
    echoed = {
        "object": "parameter",
        "name": "c",
        "type": "categorical",
        "categorical_values": [{"object": "categorical_value", "name": "x", "enum_index": 1}, {"name": "y", "enum_index": 2}],
        "bounds": None,
        "grid": None,
        "prior": None,
        "default_value": None,
        "conditions": {},
        "transformation": "none",
    }
    metric = {"object": "metric", "name": "m", "objective": "maximize", "strategy": "optimize", "threshold": None}
    spec = validate_experiment_body({**BODY, "parameters": [echoed, {**PARAMETER, "conditions": None}], "metrics": [metric], "metadata": None})
    assert spec.parameters[0].categorical_values == ["x", "y"]
    assert validate_experiment_body(spec.to_api()) == validate_experiment_body(validate_experiment_body(spec.to_api()).to_api())


def test_numbers_of_int_parameters_are_ints_however_they_are_written() -> None:
    spec = validate_experiment_body({**BODY, "budget": 60.0, "parameters": [{**PARAMETER, "type": "int", "bounds": {"min": 1.0, "max": 3.0}}]})
    api = spec.to_api()
    assert [type(value) for value in (api["budget"], *api["parameters"][0]["bounds"].values())] == [int, int, int]


def test_a_body_for_the_api_keeps_facts_that_are_null() -> None:
    assert validate_experiment_body({**BODY, "metadata": {"k": None, "n": 1}}).to_api()["metadata"] == {"k": None, "n": 1}
