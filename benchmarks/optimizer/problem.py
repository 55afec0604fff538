"""What a problem of the benchmark is, and the shapes that problems are made from."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from trialflow.optimizer import Metric, Parameter, Space

Point = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Problem:
    """One function to minimise. `true` gives its value without noise, None where it fails or breaks a constraint; `optimum` is the least of them.

    `noise` is the standard deviation of measurements. `constraint` gives the value of a constraint metric that has to be at most 0.
    """

    name: str
    space: Space
    true: Callable[[Point], float | None]
    optimum: float
    noise: float = 0.0
    constraint: Callable[[Point], float] | None = None

    @property
    def metrics(self) -> list[Metric]:
        """The metric to minimise and the constraint, if there is one."""
        constrained = [Metric("c", "minimize", "constraint", 0.0)] if self.constraint else []
        return [Metric("f", "minimize"), *constrained]

    def measure(self, point: Point, rng: np.random.Generator) -> dict[str, float] | None:
        """What a training run at `point` reports; None if it fails."""
        value = self.true(point)
        if value is None:
            return None
        more = {"c": self.constraint(point)} if self.constraint else {}
        return {"f": value + self.noise * float(rng.standard_normal()), **more}

    def score(self, point: Point) -> float | None:
        """How far above the optimum `point` is; None if it fails or breaks the constraint."""
        value = self.true(point)
        if value is None or (self.constraint is not None and self.constraint(point) > 0):
            return None
        return max(value - self.optimum, 0.0)


def box(count: int, low: float, high: float) -> tuple[Parameter, ...]:
    """Doubles x0, x1, ... with the same bounds."""
    return tuple(Parameter(f"x{index}", "double", (low, high)) for index in range(count))


def vector(point: Point) -> np.ndarray:
    """The values of x0, x1, ..."""
    names = sorted((name for name in point if name[0] == "x"), key=lambda name: int(name[1:]))
    return np.array([float(point[name]) for name in names])


def branin(x: float, y: float) -> float:
    """Least 0.397887 in [-5, 10] x [0, 15], at three places."""
    return (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_3 = (
    np.array([[3.0, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
)
HARTMANN_6 = (
    np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]),
    1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
)


def hartmann(shape: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> float:
    """Least -3.86278 in 3 and -3.32237 in 6 dimensions of the unit cube."""
    return -float(HARTMANN_WEIGHTS @ np.exp(-np.sum(shape[0] * (x - shape[1]) ** 2, axis=1)))


def ackley(x: np.ndarray) -> float:
    """Least 0 at the origin."""
    return float(-20 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(2 * np.pi * x))) + 20 + math.e)


def rosenbrock(x: np.ndarray) -> float:
    """Least 0 where all are 1, at the end of a curved valley."""
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def levy(x: np.ndarray) -> float:
    """Least 0 where all are 1."""
    w = 1 + (x - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return float(np.sin(np.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


def styblinski_tang(x: np.ndarray) -> float:
    """Least -39.16617 for each dimension in [-5, 5]."""
    return 0.5 * float(np.sum(x**4 - 16 * x**2 + 5 * x))


def michalewicz(x: np.ndarray) -> float:
    """Least -4.687658 in 5 dimensions of [0, pi]: steep valleys."""
    return -float(np.sum(np.sin(x) * np.sin(np.arange(1, len(x) + 1) * x**2 / np.pi) ** 20))


def ellipsoid(x: np.ndarray, centre: np.ndarray) -> float:
    """Least 0 at `centre`; later dimensions matter more, 100 times in all."""
    return float(np.sum(100 ** (np.arange(len(x)) / max(len(x) - 1, 1)) * (x - centre) ** 2))
