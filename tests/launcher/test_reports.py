"""What a model may report: a list of fields, and nothing that the service would choke on."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest

from trialflow.launcher.model import VARIABLE_BYTES, context, parameter_variables, variables
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


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"no_proxy": "internal.example"}, "internal.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "internal.example"}, "internal.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_a_model_reaches_its_launcher_past_any_proxy(
    name: str, given: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(one, raising=False)
        monkeypatch.delenv(one.upper(), raising=False)
    plan = {"training_run": {"id": "7"}, "attempt": 1, "experiment_id": None, "project": "p"}
    assert "NO_PROXY" not in variables(plan, str(tmp_path), 1234, "token"), "without a proxy nothing is said of one"
    for variable, value in {**given, name: "socks5://127.0.0.1:9"}.items():
        monkeypatch.setenv(variable, value)
    environment = variables(plan, str(tmp_path), 1234, "token")
    assert environment["NO_PROXY"] == environment["no_proxy"] == expected and environment[name] == "socks5://127.0.0.1:9"


def test_a_context_fits_into_a_variable_however_many_parameters_there_are() -> None:
    assignments = {"ä" * 90 + str(number): 0.1 for number in range(450)}
    assert len(context({"id": "1", "name": "n", "assignments": assignments})) <= VARIABLE_BYTES
    assert json.loads(base64.b64decode(context({"id": "1", "assignments": {"x": 1}})))["run_connection"]["run_context"]["run"]["id"] == "1"
