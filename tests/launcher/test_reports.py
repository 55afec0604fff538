"""What a model may report: a list of fields, and nothing that the service would choke on."""

import base64
import json
import math
from typing import Any

import pytest

from trialflow.launcher.model import VARIABLE_BYTES, context, parameter_variables
from trialflow.launcher.reports import REPORT_BYTES, checked, parsed, replacing


@pytest.mark.parametrize(
    "body",
    [
        {"name": "n"},
        {"deleted": True},
        {"created": 1},
        {"state": "completed"},
        {"state": "active"},
        {"logs": {"all": {"content": "x"}}},
        {"dev_metadata": {"trialflow_attempt": "x"}},
        {"metadata": {"trialflow_uid": "wandb-key"}},
        {"dev_metadata": None},
        {"values": {"huge": {"value": 10**400}}},
        {"values": {"m": {"value": math.inf}}},
        {"values": {"m": {"value": True}}},
        {"values": {"m": 1}},
        {"values": [1]},
        {"metadata": {"deep": [[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]}},
        {"metadata": {"large": "x" * REPORT_BYTES}},
    ],
)
def test_a_model_cannot_say_this(body: dict[str, Any]) -> None:
    assert checked("merge", body)[0] is None


def test_what_is_wrong_does_not_take_what_is_right_with_it() -> None:
    body = {"values": {"a": {"value": 1, "id": 3}, "b": {"value": "x"}}, "metadata": {"k": "v\x00", "trialflow_x": 1}, "name": "n", "state": "failed"}
    kept, dropped = checked("merge", body)
    assert kept == {"values": {"a": {"value": 1}}, "metadata": {"k": "v"}, "state": "failed"}
    assert len(dropped) == 3


def test_a_checkpoint_keeps_its_values_and_nothing_else() -> None:
    body = {"values": [{"name": "l", "value": 1, "x": 2}, {"name": "h", "value": 10**400}, {"l": 1}], "id": 5}
    assert checked("checkpoint", body)[0] == {"values": [{"name": "l", "value": 1}]}


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '{"a": NaN}', "{", '{"a": 1}x'])
def test_what_is_no_json_object_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


def test_numbers_of_any_length_are_read_quickly() -> None:
    assert parsed('{"a": %s, "b": 1e999}' % ("9" * 1_000_000)) == {"a": math.inf, "b": math.inf}


def test_replacing_a_field_leaves_trialflows_own_keys() -> None:
    before = {"dev_metadata": {"trialflow_attempt": 2, "mine": 1}}
    assert replacing(before, {"dev_metadata": {"new": 1}}) == {"dev_metadata": {"new": 1, "mine": None}}


def test_parameters_that_would_share_a_variable_have_none() -> None:
    assert parameter_variables({"lr": 0.1, "LR": 0.2, "x": 1}) == {"TRIALFLOW_PARAM_X": "1"}


def test_a_context_fits_into_a_variable_however_many_parameters_there_are() -> None:
    assignments = {"ä" * 90 + str(number): 0.1 for number in range(450)}
    assert len(context({"id": "1", "name": "n", "assignments": assignments})) <= VARIABLE_BYTES
    assert json.loads(base64.b64decode(context({"id": "1", "assignments": {"x": 1}})))["run_connection"]["run_context"]["run"]["id"] == "1"
