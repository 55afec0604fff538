"""What a problem of the benchmark is, and how good a search on it is after each observation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from trialflow.optimizer import Metric, Parameter, Space

Point = Mapping[str, float | int | str]
UNKNOWN = 1e3
"""What a failure is taken for while nothing has been measured."""


@dataclass(frozen=True)
class Problem:
    """One function to minimise, or two.

    `true` gives its value without noise, None where it fails; `optimum` is the least of them that satisfies the constraint. `noise` is the standard
    deviation of measurements. `constraint` gives the value of a constraint metric that has to be at most 0. With a `second` function the area that
    both dominate up to `corner` is what counts, and `optimum` is the largest one known.
    """

    name: str
    space: Space
    true: Callable[[Point], float | None]
    optimum: float
    noise: float = 0.0
    constraint: Callable[[Point], float] | None = None
    second: Callable[[Point], float] | None = None
    corner: tuple[float, float] = (0.0, 0.0)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics to minimise and the constraint, if there is one."""
        found = [Metric("f", "minimize")]
        if self.second:
            found.append(Metric("g", "minimize"))
        return [*found, Metric("c", "minimize", "constraint", 0.0)] if self.constraint else found

    def measure(self, point: Point, rng: np.random.Generator) -> dict[str, float] | None:
        """What a training run at `point` reports; None if it fails."""
        value = self.true(point)
        if value is None:
            return None
        found = {"f": value + self.noise * float(rng.standard_normal())}
        if self.second:
            found["g"] = self.second(point)
        return found | ({"c": self.constraint(point)} if self.constraint else {})

    def judge(self) -> "Judge":
        """What follows one search."""
        return Front(self) if self.second else Named(self)


class Judge(Protocol):
    """Follows one search."""

    def score(self, point: Point, values: Mapping[str, float] | None) -> float:
        """How far from the optimum the search is, once it has measured this too; inf while there is nothing."""
        ...


@dataclass
class Named:
    """The point of the least measured value that satisfies the constraint is what a user would take; its value without noise is what it is worth."""

    problem: Problem
    least: float = np.inf
    worth: float = np.inf

    def score(self, point: Point, values: Mapping[str, float] | None) -> float:
        """See `Judge`."""
        if values is not None and values.get("c", 0.0) <= 0 and values["f"] < self.least:
            true = self.problem.true(point)
            assert true is not None
            self.least, self.worth = values["f"], max(true - self.problem.optimum, 0.0)
        return self.worth


@dataclass
class Front:
    """The area dominated by what was measured."""

    problem: Problem
    found: list[tuple[float, float]] = field(default_factory=list)

    def score(self, point: Point, values: Mapping[str, float] | None) -> float:
        """See `Judge`."""
        if values is not None:
            self.found.append((values["f"], values["g"]))
        return max(self.problem.optimum - area(self.found, self.problem.corner), 0.0)


def area(points: list[tuple[float, float]], corner: tuple[float, float]) -> float:
    """The area between `corner` and the points that are less than it in both."""
    total, floor = 0.0, corner[1]
    for first, second in sorted(points):
        if first < corner[0] and second < floor:
            total, floor = total + (corner[0] - first) * (floor - second), second
    return total


def breach(problem: Problem, point: Mapping[str, Any]) -> float:
    """How far a point is over the worst linear constraint (all are of the kind less_than); 0 without any. For peers that know no such constraints."""
    return max([sum(weight * point[name] for name, weight in one.terms) - one.threshold for one in problem.space.linear_constraints], default=0.0)


def finite(worst: list[float]) -> list[float]:
    """What to tell of a failure where the worst values seen are told, `UNKNOWN` while there are none. For peers that know no failures."""
    return [value if np.isfinite(value) else UNKNOWN for value in worst]


def box(count: int, low: float, high: float) -> tuple[Parameter, ...]:
    """Doubles x0, x1, ... with the same bounds."""
    return tuple(Parameter(f"x{index}", "double", (low, high)) for index in range(count))


def vector(point: Point) -> np.ndarray:
    """The values of x0, x1, ..."""
    names = sorted((name for name in point if name[0] == "x"), key=lambda name: int(name[1:]))
    return np.array([float(point[name]) for name in names])


def number(point: Point, name: str) -> float:
    """The value of a numeric parameter."""
    return float(point[name])
