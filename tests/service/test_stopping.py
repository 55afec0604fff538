"""When an experiment has reason to stop, as tables."""

from typing import Any

import pytest

from trialflow.service.stopping import BUDGET, STAGNATION, front, stopping_reasons

ONE = [{"name": "m"}]
TWO = [{"name": "m"}, {"name": "n", "objective": "minimize"}]
SEARCH = [{"name": "m", "strategy": "constraint", "threshold": 1}]


def rows(*values: Any) -> list[dict]:
    """Observations of `m`, or of `m` and `n`; None is a failure."""

    def row(value: Any) -> dict:
        pair = zip("mn", value if isinstance(value, tuple) else (value,), strict=False)
        return {"failed": value is None, "values": [] if value is None else [{"name": name, "value": one} for name, one in pair]}

    return [row(value) for value in values]


def said(metrics: list, observed: list[dict], *, budget: float | None = None, **more: Any) -> list[str]:
    return stopping_reasons({"parameters": [{"name": "x"}], "metrics": metrics, "budget": budget, **more}, observed, consumed=len(observed))


@pytest.mark.parametrize(
    ("metrics", "observed", "expected", "why"),
    [
        (ONE, rows(), False, "nothing is known"),
        (ONE, rows(1, 2, 3, 4, 5, 0, 0, 0, 0), False, "nine: five to compare with, and not yet five later"),
        (ONE, rows(1, 2, 3, 4, 5, 0, 0, 0, 0, 0), True, "five of which none is among the best five before"),
        (ONE, rows(1, 2, 3, 4, 5, 0, 0, 0, 0, 2), False, "the last is better than the fifth before"),
        (ONE, rows(1, 2, 3, 4, 5, 0, 0, 0, 0, 1), True, "the same as the fifth is no progress"),
        (ONE, rows(5, 4, 3, 2, 1, None, None, None, None, None), True, "failures are no progress"),
        (ONE, rows(None, 4, 3, 2, 1, 0, None, None, None, None), False, "anything is better than a failure"),
        ([{"name": "m", "objective": "minimize"}], rows(1, 2, 3, 4, 5, 6, 6, 6, 6, 6), True, "less is better"),
        ([{"name": "m", "objective": "minimize"}], rows(1, 2, 3, 4, 5, 0, 6, 6, 6, 6), False, "less is better"),
        (SEARCH, rows(*[0] * 30), False, "a search has no best"),
        (TWO, rows(*[(1, 1)] * 30), False, "a front within its budget"),
    ],
)
def test_stagnation_is_no_progress_in_five_observations_for_each_parameter(metrics: list, observed: list, expected: bool, why: str) -> None:
    assert (said(metrics, observed) == [STAGNATION]) is expected, why


@pytest.mark.parametrize(("budget", "expected"), [(None, []), (4, []), (3, []), (2, [BUDGET]), (2.5, [BUDGET])])
def test_the_budget_is_a_reason_once_it_is_exceeded(budget: float | None, expected: list) -> None:
    assert said(ONE, rows(1, 2, 3), budget=budget) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [((1, 9), [STAGNATION, BUDGET]), ((3, 3), [BUDGET]), ((2, 2), [STAGNATION, BUDGET])],
)
def test_a_front_stagnates_when_it_stays_the_same_beyond_the_budget(last: tuple, expected: list) -> None:
    before = [(2, 2), (1, 1), (0, 5), (0, 6), (0, 7), (0, 8), (0, 8), (0, 8), (0, 8)]
    assert said(TWO, rows(*before, last), budget=9) == expected


def test_several_solutions_stagnate_only_beyond_the_budget() -> None:
    observed = rows(5, 4, 3, 2, 1, 0, 0, 0, 0, 0)
    assert said(ONE, observed, budget=10, num_solutions=2) == []
    assert said(ONE, observed, budget=9, num_solutions=2) == [STAGNATION, BUDGET]


def test_a_front_has_what_nothing_else_is_better_than() -> None:
    assert front([(1, 3), (2, 2), (3, 1), (1, 1), (3, 0), (2, 2)]) == {(1, 3), (2, 2), (3, 1)}
    assert front([(1,), (3,), (2,)]) == {(3,)}
    assert front([]) == set()
