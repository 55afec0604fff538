"""Problems made to find out what noise does to the optimizer: well-known functions, measured badly, and one rough one that has none."""

import math

import numpy as np

from benchmarks.optimizer.causes import CAUSES
from benchmarks.optimizer.develop import HARTMANN_6
from benchmarks.optimizer.problem import Problem, box, vector
from benchmarks.optimizer.shapes import branin, ellipsoid, hartmann, levy, rosenbrock, rotated
from trialflow.optimizer import Space

CENTRE_12 = np.random.default_rng(12).uniform(0.1, 0.9, 12)
NOISY = (
    *(one for one in CAUSES if one.name in ("ripples 3", "noisy rotated 8", "cut corner 4")),
    Problem("noisy branin", Space(box(2, 0, 15)), lambda p: branin(vector(p)[0] - 5, vector(p)[1]), 0.397887, noise=4.0),
    Problem("noisy rosenbrock 4", Space(box(4, -2, 2)), lambda p: math.log1p(rosenbrock(vector(p))), 0.0, noise=0.5),
    Problem("noisy levy 5", Space(box(5, -6, 9)), lambda p: levy(vector(p)), 0.0, noise=2.0),
    Problem("noisy hartmann 6", Space(box(6, 0, 1)), lambda p: hartmann(HARTMANN_6, vector(p)), -3.32237, noise=0.2),
    Problem("noisy ellipsoid 10", Space(box(10, 0, 1)), lambda p: ellipsoid(vector(p), CENTRE_12[:10]), 0.0, noise=4.0),
    Problem("noisy rotated 12", Space(box(12, 0, 1)), lambda p: rotated(vector(p), CENTRE_12), 0.0, noise=2.0),
)
