"""Linear constraints with much room, little, and none."""

from typing import Literal

import numpy as np
import pytest

from trialflow.optimizer import LinearConstraint, Metric, Parameter, Space, SpaceExhausted, suggest
from trialflow.optimizer.design import Sampler
from trialflow.optimizer.encoding import Encoder


def doubles(*constraints: LinearConstraint, count: int = 3) -> Space:
    return Space(tuple(Parameter(f"x{n}", "double", (-1, 3)) for n in range(count)), (), constraints)


def ints(*constraints: LinearConstraint) -> Space:
    return Space(tuple(Parameter(f"x{n}", "int", (0, 100)) for n in range(4)), (), constraints)


def total(kind, threshold: float, count: int = 3) -> LinearConstraint:  # noqa: ANN001
    return LinearConstraint(kind, threshold, tuple((f"x{n}", 1.0) for n in range(count)))


SPACES = {
    "half": doubles(total("less_than", 3.0)),
    "corner": doubles(total("greater_than", 8.9)),
    "slice": doubles(total("less_than", 1.0), total("greater_than", 0.9999)),
    "sheet": doubles(total("less_than", 1.0), total("greater_than", 1.0)),
    "twelve dimensions": doubles(total("less_than", -8.0, 12), count=12),
    "weights": doubles(LinearConstraint("less_than", 0.0, (("x0", 2.0), ("x1", -3.0)))),
    "half of ints": ints(total("less_than", 200.0, 4)),
    "sum of ints": ints(total("less_than", 100.0, 4), total("greater_than", 100.0, 4)),
    "odd ints": ints(
        LinearConstraint("less_than", 7.0, (("x0", 2.0), ("x1", 4.0))), LinearConstraint("greater_than", 5.0, (("x0", 1.0), ("x1", 5.0)))
    ),
}


def excess(space: Space, point) -> float:  # noqa: ANN001
    """How far a point is over the worst threshold."""
    worst = -np.inf
    for one in space.linear_constraints:
        over = sum(weight * point[name] for name, weight in one.terms) - one.threshold
        worst = max(worst, over if one.type == "less_than" else -over)
    return worst


@pytest.mark.parametrize("name", SPACES)
def test_every_drawn_point_satisfies_the_constraints(name: str) -> None:
    space = SPACES[name]
    sampler = Sampler(Encoder(space), 1)
    rng = np.random.default_rng(0)
    for rows in (sampler.random(100, rng), sampler.spread(100, rng), sampler.start()):
        points = [sampler.encoder.decode(row) for row in rows]
        # Where there is no room at all, on a sheet, rounding decides.
        assert max(excess(space, point) for point in points) <= (1e-6 if name == "sheet" else 0.0)
        assert np.all(rows >= 0) and np.all(rows <= 1)


@pytest.mark.parametrize("name", ["half", "slice", "sum of ints"])
def test_draws_reach_all_of_the_region(name: str) -> None:
    sampler = Sampler(Encoder(SPACES[name]), 1)
    rows = sampler.random(400, np.random.default_rng(0))
    rest = 1.0 if name == "half" else 0.49
    assert np.all(np.ptp(rows, axis=0) > 0.8 * rest) and len(np.unique(rows.round(6), axis=0)) > 300


@pytest.mark.parametrize("space", [doubles(total("greater_than", 9.1)), ints(LinearConstraint("less_than", -1.0, (("x0", 1.0),)))])
def test_constraints_that_leave_nothing_are_told(space: Space) -> None:
    with pytest.raises(SpaceExhausted, match="no point satisfies"):
        suggest(space, [Metric("f")], [], [], seed=1)


@pytest.mark.parametrize("kind", ["less_than", "greater_than"])
def test_a_draw_within_a_roomy_region_keeps_the_other_coordinates_even(kind: Literal["less_than", "greater_than"]) -> None:
    sampler = Sampler(Encoder(doubles(LinearConstraint(kind, 1.0, (("x0", 1.0), ("x1", 1.0))))), 1)
    rows = sampler.random(2000, np.random.default_rng(0))
    assert np.quantile(rows[:, 2], [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.05)
