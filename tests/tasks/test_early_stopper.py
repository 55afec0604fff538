"""Which training runs are ended early, as their checkpoints arrive; and that a flow which starts anew decides as the first would have."""

import json
from typing import Any

import pytest

from tasks.experiments.early_stopper import EarlyStopper, rule_of
from trialflow.metrics import last_values
from trialflow.optimizer.stopping import Rule

MEDIAN = Rule("median", "acc", min_checkpoints=2)
ASHA = Rule("asha", "acc", min_checkpoints=2, reduction=2)


def checkpoint(value: float | None, name: str = "acc") -> dict[str, Any]:
    return {"values": [{"name": name, "value": value}]}


def run(identifier: int, **kept: Any) -> dict[str, Any]:
    return {"id": str(identifier), "dev_metadata": {f"trialflow_{name}": value for name, value in kept.items()}}


def prospects(rule: Rule, *histories: list[float]) -> EarlyStopper:
    """Those of training runs 1, 2 and so on, that had these checkpoints before this flow."""
    one = EarlyStopper(rule)
    for identifier, values in enumerate(histories, 1):
        one.know(run(identifier), [checkpoint(value) for value in values])
    return one


def test_the_rule_is_asked_at_each_checkpoint_of_a_batch() -> None:
    one = prospects(ASHA, [0.9, 0.9, 0.9, 0.9])
    said = [one.reached("7", 1, place, checkpoint(0.1)) for place in (1, 2, 3)]
    assert said[0] is None and said[1] is not None and said[1].startswith("asha: 2 of 2 at 2 checkpoints")
    assert said[2] == said[1], "it does not change its mind"


def test_what_is_heard_of_again_is_not_asked_about_again() -> None:
    one = prospects(ASHA)
    assert [one.reached("7", 1, place, checkpoint(0.1)) for place in (1, 2, 3)] == [None, None, None]
    for place in (1, 2, 3, 4):
        assert one.reached("8", 1, place, checkpoint(0.9)) is None
    assert [one.reached("7", 1, place, checkpoint(0.1)) for place in (1, 2, 3)] == [None, None, None]
    assert one.reached("7", 1, 4, checkpoint(0.1)) is not None, "the next rung is at four"


def test_a_verdict_that_could_not_be_written_down_is_said_again() -> None:
    one = prospects(MEDIAN, [0.9, 0.9], [0.8, 0.8], [0.7, 0.7])
    one.reached("7", 1, 1, checkpoint(0.1))
    said = one.reached("7", 1, 2, checkpoint(0.1))
    assert said is not None and one.reached("7", 1, 1, checkpoint(0.1)) == said


def test_a_flow_that_starts_anew_asks_once_more_at_the_last_checkpoint_only() -> None:
    one = prospects(ASHA, [0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1], [0.2, 0.2])
    assert [one.reached("2", 1, place, checkpoint(0.1)) for place in (1, 2, 3)] == [None, None, None]
    assert one.reached("3", 1, 1, checkpoint(0.2)) is None
    assert one.reached("3", 1, 2, checkpoint(0.2)) is not None, "nobody knows whether it was asked there"


def test_a_decision_in_the_service_holds() -> None:
    one = EarlyStopper(MEDIAN)
    one.know(run(7, stopped_early="because"), [checkpoint(0.9)])
    assert one.reached("7", 1, 1, checkpoint(0.9)) == "because"


def test_checkpoints_of_attempts_that_were_lost_do_not_count() -> None:
    one = EarlyStopper(MEDIAN)
    for identifier in (1, 2, 3):
        one.know(run(identifier, attempt=2, earlier_checkpoints=2), [checkpoint(value) for value in (9.0, 9.0, 0.2, 0.2)])
    assert one.reached("7", 1, 1, checkpoint(0.3)) is None
    assert one.reached("7", 1, 2, checkpoint(0.3)) is None, "9 was of another attempt"
    assert one.reached("7", 2, 1, checkpoint(0.1)) is None, "a new attempt begins at its first checkpoint"
    assert one.reached("7", 2, 2, checkpoint(0.1)) is not None


def test_a_checkpoint_without_the_metric_counts_as_one_that_measured_nothing() -> None:
    one = prospects(MEDIAN, [0.9, 0.9], [0.8, 0.8], [0.7, 0.7])
    one.reached("7", 1, 1, checkpoint(0.9, "loss"))
    said = one.reached("7", 1, 2, {"values": []})
    assert said is not None and "no acc at all" in said


@pytest.mark.parametrize(
    ("metadata", "objective", "expected"),
    [
        (None, None, None),
        ({"mine": 1}, None, None),
        ({"rule": "asha", "metric": "acc", "min_checkpoints": 2, "reduction": 4}, "minimize", Rule("asha", "acc", "minimize", 2, 4)),
        ({"rule": "median", "metric": "acc"}, None, Rule("median", "acc", "maximize", 5, 3)),
        ({"rule": "median", "metric": "other"}, "minimize", Rule("median", "other", "maximize", 5, 3)),
    ],
)
def test_the_rule_is_what_the_experiment_asks_for(metadata: dict | None, objective: str | None, expected: Rule | None) -> None:
    kept = {"trialflow_early_stopping": json.dumps(metadata)} if metadata and "rule" in metadata else metadata
    experiment = {"metadata": kept, "metrics": [{"name": "acc", "objective": objective}, {"name": "other", "objective": None}]}
    assert rule_of(experiment) == expected


def test_the_last_values_are_those_of_the_newest_checkpoint_that_has_them() -> None:
    newest_first = [
        {"values": [{"name": "loss", "value": 1.0, "value_stddev": None}]},
        {"values": [{"name": "acc", "value": 0.8, "value_stddev": 0.1}, {"name": "loss", "value": 2.0}]},
        {"values": [{"name": "acc", "value": 0.9}, {"name": "size", "value": 3}]},
    ]
    assert last_values(newest_first, ["acc", "loss", "none"]) == {"loss": {"value": 1.0}, "acc": {"value": 0.8, "value_stddev": 0.1}}
