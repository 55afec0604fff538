"""Which training runs are stopped early: tables of cases for the median rule and ASHA."""

from collections.abc import Mapping, Sequence

import pytest

from trialflow.optimizer.stopping import Curve, Rule, rung_at, should_stop

MEDIAN = Rule("median", "acc", min_checkpoints=2)
ASHA = Rule("asha", "acc", min_checkpoints=2, reduction=3)
OTHERS = {"a": [0.1, 0.2, 0.3], "b": [0.3, 0.4, 0.5], "c": [0.5, 0.6, 0.7]}
"""Averages after two: 0.15, 0.35, 0.55; best after two: 0.2, 0.4, 0.6."""


def said(histories: Mapping[str, Sequence[float | None]], rule: Rule) -> str | None:
    """What the rule says of the training run `me`."""
    return should_stop({name: Curve.of(values, rule) for name, values in histories.items()}, "me", rule)


@pytest.mark.parametrize(
    ("own", "others", "is_stopped", "why"),
    [
        ([0.1], OTHERS, False, "before min_checkpoints nothing is stopped"),
        ([0.1, 0.2], OTHERS, True, "its best of 0.2 is below the median of 0.35"),
        ([0.36, 0.1], OTHERS, False, "its best counts, not its last"),
        ([0.35, 0.1], OTHERS, False, "as good as the median is good enough"),
        ([0.1, 0.2], {"a": [0.3, 0.4], "b": [0.5, 0.6]}, False, "two others are too few"),
        ([0.1, 0.2, 0.3, 0.31], OTHERS, False, "none of the others came as far"),
        ([None, float("nan")], OTHERS, True, "nothing measured is worse than anything"),
        ([0.1, 0.2], {"a": [None, None], "b": [None, None], "c": [None, None]}, False, "others without the metric do not count"),
        ([0.1, 0.2], {}, False, "alone it goes on"),
    ],
)
def test_the_median_rule(own: Sequence[float | None], others: dict, is_stopped: bool, why: str) -> None:
    assert (said({**others, "me": own}, MEDIAN) is not None) is is_stopped, why


@pytest.mark.parametrize(
    ("own", "others", "is_stopped", "why"),
    [
        ([0.1], OTHERS, False, "before the first rung nothing is stopped"),
        ([0.1, 0.1], {"a": [0.9, 0.9]}, False, "the first ones at a rung all go on: there is nothing to divide yet"),
        ([0.1, 0.1], {"a": [0.9, 0.9], "b": [0.8, 0.8]}, True, "third of three, one goes on"),
        ([0.95, 0.1], {"a": [0.9, 0.9], "b": [0.8, 0.8]}, False, "first of three"),
        ([0.1, 0.1, 0.1], {"a": [0.9] * 3, "b": [0.8] * 3}, False, "three checkpoints are no rung after two: the next is six"),
        ([0.1] * 6, {"a": [0.9] * 6, "b": [0.8] * 6}, True, "six are the next rung"),
        ([0.55, 0.5], {**OTHERS, "d": [0.1, 0.1], "e": [0.1, 0.1]}, False, "second of six, two go on"),
        ([0.3, 0.35], {**OTHERS, "d": [0.1, 0.1], "e": [0.1, 0.1]}, True, "third of six, two go on"),
        ([0.5, 0.5], {"a": [0.5, 0.5], "b": [0.5, 0.5]}, False, "equals are not worse"),
    ],
)
def test_asha(own: Sequence[float | None], others: dict, is_stopped: bool, why: str) -> None:
    assert (said({**others, "me": own}, ASHA) is not None) is is_stopped, why


@pytest.mark.parametrize("kind", ["median", "asha"])
def test_minimizing_is_maximizing_of_the_negative(kind: str) -> None:
    up, down = Rule(kind, "m", "maximize", 2), Rule(kind, "m", "minimize", 2)  # type: ignore[arg-type]
    for own in ([0.1, 0.2], [0.9, 0.9]):
        histories = {**OTHERS, "me": own}
        negative = {name: [-value for value in values] for name, values in histories.items()}
        assert (said(histories, up) is None) == (said(negative, down) is None)


def test_the_reason_has_the_metrics_own_numbers() -> None:
    rule = Rule("median", "loss", "minimize", 2)
    reason = said({"a": [1, 1], "b": [2, 2], "c": [3, 3], "me": [9, 8]}, rule)
    assert reason == "median: after 2 checkpoints it has its best loss of 8, the median of 3 others is 2"


@pytest.mark.parametrize(("first", "reduction", "expected"), [(1, 3, [1, 3, 9, 27]), (2, 3, [2, 6, 18]), (5, 2, [5, 10, 20])])
def test_rungs_are_a_geometric_row(first: int, reduction: int, expected: list[int]) -> None:
    assert [count for count in range(1, 28) if rung_at(count, first, reduction)] == expected
