"""Problems made to find out why the optimizer was weak where it was: roughness, noise, narrow fronts, constraints that bind."""

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.optimizer.problem import Point, Problem, box, vector
from benchmarks.optimizer.real import DIABETES, support_vectors
from benchmarks.optimizer.shapes import ellipsoid, rotated
from trialflow.optimizer import Parameter, Space


@lru_cache
def _made(name: str) -> tuple[Any, Any]:
    warnings.filterwarnings("ignore", message="Solver terminated early")
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    more = {"n_features": 6} if name == "sparse_uncorrelated" else {"noise": {"friedman2": 150.0, "friedman3": 0.2}[name]}
    x, y = getattr(datasets, f"make_{name}")(n_samples=150, random_state=3, **more)
    return StandardScaler().fit_transform(x), y * 60 / float(np.std(y))


def svr_of(name: str, point: Point) -> float:
    """Mean squared error, in thousands, of a support vector regression of made data."""
    return support_vectors(*_made(name), point) / 1000


CENTRE_3, CENTRE_8 = np.array([0.68, 0.27, 0.45]), np.random.default_rng(8).uniform(0.1, 0.9, 8)


def ripples(point: Point) -> float:
    """An ellipsoid with ripples far finer than what so few points can follow."""
    x = vector(point) - CENTRE_3
    return ellipsoid(vector(point), CENTRE_3) + 0.4 * float(np.sum(np.sin(60 * x) ** 2))


def spring(point: Point) -> float:
    """The weight of a spring of wire of x0, coils of x1, and x2 of them, times a hundred. Belegundu (1982)."""
    wire, coil, turns = vector(point)
    return 100 * (turns + 2) * coil * wire**2


def spring_over(point: Point) -> float:
    """By how much the spring is over the worst of its limits: deflection, shear, surging, diameter."""
    wire, coil, turns = vector(point)
    deflection = 1 - coil**3 * turns / (71785 * wire**4)
    shear = (4 * coil**2 - wire * coil) / (12566 * (coil * wire**3 - wire**4)) + 1 / (5108 * wire**2) - 1
    return max(deflection, shear, 1 - 140.45 * wire / (coil**2 * turns), (wire + coil) / 1.5 - 1)


SPRING = tuple(Parameter(f"x{index}", "double", bounds) for index, bounds in enumerate(((0.05, 0.2), (0.25, 1.3), (2.0, 15.0))))


def corner_cut(point: Point) -> float:
    """At most 0 on one side of a curved border that the best point lies on."""
    x = vector(point)
    return 0.55 + 0.1 * math.sin(7 * x[1]) - x[0] - 0.4 * (x[2] - 0.5) ** 2


def behind(point: Point) -> float:
    """The second metric of a front that four more numbers have to be right for. Zitzler et al. (2000), ZDT1, with its best away from the border."""
    x = vector(point)
    far = 1 + 9 * float(np.mean(np.abs(x[1:] - 0.6)))
    return far * (1 - math.sqrt(x[0] / far))


CAUSES = (
    Problem("svr of friedman 2", DIABETES, lambda p: svr_of("friedman2", p), 0.5426),
    Problem("svr of friedman 3", DIABETES, lambda p: svr_of("friedman3", p), 1.8359),
    Problem("svr of few", DIABETES, lambda p: svr_of("sparse_uncorrelated", p), 0.2711),
    Problem("ripples 3", Space(box(3, 0, 1)), ripples, 0.0),
    Problem("noisy rotated 8", Space(box(8, 0, 1)), lambda p: rotated(vector(p), CENTRE_8), 0.0, noise=1.5),
    Problem("spring", Space(SPRING), spring, 1.26652, constraint=spring_over),
    Problem(
        "cut corner 4",
        Space(box(4, 0, 1)),
        lambda p: ellipsoid(vector(p), np.array([0.3, 0.5, 0.5, 0.6])),
        0.04256,
        noise=0.05,
        constraint=corner_cut,
    ),
    Problem("behind 5", Space(box(5, 0, 1)), lambda p: float(vector(p)[0]), 0.876667, second=behind, corner=(1.1, 1.1)),
)
