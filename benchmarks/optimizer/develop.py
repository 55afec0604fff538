"""The problems that the optimizer was developed on; nothing is shown with them."""

import math

import numpy as np

from benchmarks.optimizer.problem import Point, Problem, box, number, vector
from benchmarks.optimizer.real import DIABETES, svr_of_friedman
from benchmarks.optimizer.shapes import HARTMANN_6, ackley, branin, ellipsoid, hartmann, powell, rosenbrock, rotated
from trialflow.optimizer import Conditional, LinearConstraint, Parameter, Space


def network(point: Point) -> float:
    """The error of an imagined network: too high a learning rate diverges, width and depth help slowly, dropout has to fit."""
    rate, width = math.log10(number(point, "rate")), math.log2(number(point, "width"))
    best = {"sgd": -1.5, "adam": -3.0, "rmsprop": -3.3}[str(point["method"])]
    loss = 0.05 + {"sgd": 0.03, "adam": 0.0, "rmsprop": 0.02}[str(point["method"])] + 0.06 * (rate - best) ** 2
    loss += 0.004 * (width - 8) ** 2 + 0.01 * abs(number(point, "layers") - 3) + 0.2 * (number(point, "dropout") - 0.25) ** 2
    loss += {"relu": 0.0, "tanh": 0.02, "elu": 0.005}[str(point["activation"])]
    return 0.9 if rate > best + 1.2 else min(loss, 0.9)


NETWORK = (
    Parameter("rate", "double", (1e-6, 1.0), log=True),
    Parameter("width", "int", (8, 1024)),
    Parameter("layers", "int", (1, 8)),
    Parameter("dropout", "double", (0.0, 0.8)),
    Parameter("activation", "categorical", categories=("relu", "tanh", "elu")),
    Parameter("method", "categorical", categories=("sgd", "adam", "rmsprop")),
)


def chosen_model(point: Point) -> float:
    """The error of an imagined choice between models with parameters of their own."""
    if point["model"] == "svm":
        return 0.10 + 0.02 * (math.log10(number(point, "c")) - 1) ** 2 + 0.03 * (math.log10(number(point, "gamma")) + 2.5) ** 2
    if point["model"] == "forest":
        return 0.13 + 0.1 * math.exp(-number(point, "trees") / 60) + 0.004 * (number(point, "depth") - 14) ** 2
    return 0.08 + 0.04 * (math.log10(number(point, "rate")) + 1.2) ** 2 + 0.01 * (number(point, "depth") - 5) ** 2


CHOSEN_MODEL = Space(
    (
        Parameter("c", "double", (1e-3, 1e4), log=True, conditions={"model": ("svm",)}),
        Parameter("gamma", "double", (1e-6, 10.0), log=True, conditions={"model": ("svm",)}),
        Parameter("trees", "int", (10, 500), conditions={"model": ("forest",)}),
        Parameter("depth", "int", (2, 20), conditions={"model": ("forest", "boosting")}),
        Parameter("rate", "double", (1e-3, 1.0), log=True, conditions={"model": ("boosting",)}),
    ),
    (Conditional("model", ("svm", "forest", "boosting")),),
)


def mixed(point: Point) -> float:
    """Five numbers on the ellipsoid around a place that depends on two categories; one of the categories shifts the whole."""
    place = {"a": 0.2, "b": 0.5, "c": 0.7, "d": 0.9}[str(point["kind"])]
    x = np.array([number(point, "u"), number(point, "v"), number(point, "w"), number(point, "steps") / 20, math.log2(number(point, "batch")) / 10])
    shift = {"a": 0.5, "b": 0.0, "c": 1.0, "d": 0.3}[str(point["kind"])] + {"yes": 0.0, "no": 0.4}[str(point["flag"])]
    return shift + 4 * float(np.sum((x - np.array([place, 0.3, 0.6, 0.5, 0.6])) ** 2)) + 0.3 * abs(math.sin(9 * (x[0] - place)))


MIXED = (
    *(Parameter(name, "double", (0.0, 1.0)) for name in "uvw"),
    Parameter("steps", "int", (0, 20)),
    Parameter("batch", "int", grid=(16, 32, 64, 128, 256, 512)),
    Parameter("kind", "categorical", categories=("a", "b", "c", "d")),
    Parameter("flag", "categorical", categories=("yes", "no")),
)
CENTRE_4, CENTRE_15 = np.array([0.62, 0.31, 0.18, 0.77]), np.random.default_rng(15).uniform(0.1, 0.9, 15)


def outside(point: Point) -> float:
    """At most 0 in a ring around the middle of the first two dimensions."""
    x = vector(point)
    return abs(math.hypot(x[0] - 0.5, x[1] - 0.5) - 0.3) - 0.08


def shares(point: Point) -> float:
    """A recipe of four shares that may not be more than the whole, with a bonus where two of them agree."""
    x = vector(point)
    return float(np.sum((x - np.array([0.35, 0.1, 0.3, 0.15])) ** 2 * np.array([1, 4, 2, 9]))) + 0.05 * (1 - math.exp(-30 * (x[0] - x[2]) ** 2))


def sized(point: Point) -> float:
    """What a network of these sizes loses, with a cost for its size: steps in every direction."""
    depth, width, heads = number(point, "depth"), number(point, "width"), number(point, "heads")
    loss = 3.0 / (1 + 0.3 * depth) + 20.0 / width + 0.1 * abs(heads - 6) + 0.002 * (depth * math.log2(width) - 30) ** 2 / 10
    return loss + 0.8 * (number(point, "drop") - 0.1 - 0.02 * depth) ** 2


SIZED = Space(
    (
        Parameter("depth", "int", (1, 24)),
        Parameter("width", "int", (4, 2048), log=True),
        Parameter("heads", "int", (1, 16)),
        Parameter("drop", "double", (0.0, 0.7)),
    )
)
WHOLE = LinearConstraint("less_than", 0.8, tuple((f"x{index}", 1.0) for index in range(4)))


DEVELOP = (
    Problem("branin", Space(box(2, 0, 15)), lambda p: branin(vector(p)[0] - 5, vector(p)[1]), 0.397887),
    Problem("hartmann 6", Space(box(6, 0, 1)), lambda p: hartmann(HARTMANN_6, vector(p)), -3.32237),
    Problem("ackley 12", Space(box(12, -20, 30)), lambda p: ackley(vector(p) - 3.3), 0.0),
    Problem("rosenbrock 4", Space(box(4, -2, 2)), lambda p: math.log1p(rosenbrock(vector(p))), 0.0),
    Problem("ellipsoid 15", Space(box(15, 0, 1)), lambda p: ellipsoid(vector(p), CENTRE_15), 0.0),
    Problem("powell 20", Space(box(20, -4, 5)), lambda p: powell(vector(p)), 0.0),
    Problem("noisy ellipsoid 4", Space(box(4, 0, 1)), lambda p: ellipsoid(vector(p), CENTRE_4), 0.0, noise=3.0),
    Problem("noisy rotated 6", Space(box(6, 0, 1)), lambda p: rotated(vector(p), CENTRE_15[:6]), 0.0, noise=1.0),
    Problem("network", Space(NETWORK), network, 0.05, noise=0.003),
    Problem("mixed 7", Space(MIXED), mixed, 0.0),
    Problem("sized", SIZED, sized, 1.1705, noise=0.01),
    Problem("choice of model", CHOSEN_MODEL, chosen_model, 0.08, noise=0.002),
    Problem("svr of friedman", DIABETES, svr_of_friedman, 4.1315),
    Problem("failing 4", Space(box(4, 0, 1)), lambda p: None if vector(p)[:2].sum() > 1.05 else ellipsoid(vector(p), CENTRE_4), 0.0),
    Problem("ring", Space(box(3, 0, 1)), lambda p: float(np.sum((vector(p) - 0.9) ** 2)), 0.034478, constraint=outside),
    Problem("shares", Space(box(4, 0, 1), (), (WHOLE,)), shares, 0.005636),
    Problem(
        "two valleys",
        Space(box(4, -2, 2)),
        lambda p: 1 - math.exp(-float(np.sum((vector(p) - 0.5) ** 2))),
        0.34209,
        second=lambda p: 1 - math.exp(-float(np.sum((vector(p) + 0.5) ** 2))),
        corner=(1.0, 1.0),
    ),
)
