"""Whether linear constraints can hold all together: against scipy's solver, and where rounding would decide."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from trialflow.specs.feasible import can_hold


@pytest.mark.parametrize(
    ("rows", "limits", "expected"),
    [
        ([[1, 1]], [0], True),
        ([[1, 1]], [-1e-9], False),
        ([[1, 1], [-1, -1]], [1, -1], True),
        ([[1, 1], [-1, -1]], [0.3, -1.5], False),
        ([[-1, 0], [0, -1], [1, 1]], [-0.1, -0.2, 0.3], True),
        ([[-1, -1], [1, -1], [-1, 1]], [-2, 0, 0], True),
        ([[-1, -1], [1, -1]], [-2, -0.5], False),
    ],
)
def test_constraints_on_the_unit_square(rows: list[list[float]], limits: list[float], expected: bool) -> None:
    assert can_hold(rows, limits, [0, 0], [1, 1]) is expected


WHOLE = st.integers(-5, 5)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_it_agrees_with_a_solver(data: st.DataObject) -> None:
    variables, count = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    rows = data.draw(st.lists(st.lists(WHOLE, min_size=variables, max_size=variables), min_size=count, max_size=count))
    limits = data.draw(st.lists(WHOLE, min_size=count, max_size=count))
    low = data.draw(st.lists(WHOLE, min_size=variables, max_size=variables))
    high = [start + data.draw(st.integers(1, 5)) for start in low]
    solved = linprog([0] * variables, A_ub=rows, b_ub=limits, bounds=list(zip(low, high, strict=True)))
    assert can_hold(rows, limits, low, high) is (solved.status == 0)
