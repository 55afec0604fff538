"""The problems: those that the optimizer was developed on, and others that prove it."""

import math

import numpy as np

from benchmarks.optimizer.problem import (
    HARTMANN_3,
    HARTMANN_6,
    Point,
    Problem,
    ackley,
    box,
    branin,
    ellipsoid,
    hartmann,
    levy,
    michalewicz,
    rosenbrock,
    styblinski_tang,
    vector,
)
from trialflow.optimizer import Conditional, LinearConstraint, Parameter, Space


def number(point: Point, name: str) -> float:
    """The value of a numeric parameter."""
    return float(point[name])


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
CENTRE_4, CENTRE_6 = np.array([0.62, 0.31, 0.18, 0.77]), np.array([0.71, 0.22, 0.58, 0.4, 0.83, 0.35])


def outside(point: Point) -> float:
    """At most 0 in a ring around the middle of the first two dimensions."""
    x = vector(point)
    return abs(math.hypot(x[0] - 0.5, x[1] - 0.5) - 0.3) - 0.08


DEVELOPMENT = (
    Problem("branin", Space((Parameter("x", "double", (-5, 10)), Parameter("y", "double", (0, 15)))), lambda p: branin(p["x"], p["y"]), 0.397887),  # type: ignore[arg-type]
    Problem("hartmann 6", Space(box(6, 0, 1)), lambda p: hartmann(HARTMANN_6, vector(p)), -3.32237),
    Problem("ackley 12", Space(box(12, -20, 30)), lambda p: ackley(vector(p) - 3.3), 0.0),
    Problem("rosenbrock 4", Space(box(4, -2, 2)), lambda p: math.log1p(rosenbrock(vector(p))), 0.0),
    Problem("noisy ellipsoid 4", Space(box(4, 0, 1)), lambda p: ellipsoid(vector(p), CENTRE_4), 0.0, noise=3.0),
    Problem("network", Space(NETWORK), network, 0.05 + 0.004 * 0, noise=0.003),
    Problem("mixed 7", Space(MIXED), mixed, 0.0),
    Problem("choice of model", CHOSEN_MODEL, chosen_model, 0.08, noise=0.002),
    Problem("failing 4", Space(box(4, 0, 1)), lambda p: None if vector(p)[:2].sum() > 1.05 else ellipsoid(vector(p), CENTRE_4), 0.0),
    Problem("ring", Space(box(3, 0, 1)), lambda p: float(np.sum((vector(p) - 0.9) ** 2)), 0.08384, constraint=outside),
)


def noisy_camel(point: Point) -> float:
    """The six-hump camel: least -1.0316285."""
    x, y = vector(point)
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2


def schedule(point: Point) -> float:
    """An imagined training: a narrow ridge between learning rate and batch size on logarithmic scales, a category and an int."""
    rate, batch, decay = (math.log10(number(point, name)) for name in ("rate", "batch", "decay"))
    ridge = rate - 0.8 * batch + 4.2
    value = 0.2 + 0.15 * ridge**2 + 0.02 * (batch - 2) ** 2 + 0.01 * (decay + 4) ** 2 + 0.01 * (number(point, "warmup") - 6) ** 2 / 4
    return value + {"cosine": 0.0, "linear": 0.015, "step": 0.05, "none": 0.1}[str(point["schedule"])]


SCHEDULE = (
    Parameter("rate", "double", (1e-6, 1.0), log=True),
    Parameter("batch", "double", (8, 4096), log=True),
    Parameter("decay", "double", (1e-7, 1e-1), log=True),
    Parameter("warmup", "int", (0, 20)),
    Parameter("schedule", "categorical", categories=("none", "step", "linear", "cosine")),
)


def pipeline(point: Point) -> float:
    """An imagined pipeline: one of two ways to prepare, one of two models."""
    value = 0.3 + 0.05 * (math.log10(number(point, "l2")) + 2) ** 2
    if point["prepare"] == "pca":
        value += 0.002 * (number(point, "components") - 22) ** 2 / 4
    else:
        value += 0.06
    if point["learner"] == "neighbours":
        return value + 0.05 + 0.004 * (number(point, "k") - 9) ** 2
    return value + 0.5 * (number(point, "subsample") - 0.7) ** 2


PIPELINE = Space(
    (
        Parameter("l2", "double", (1e-6, 10.0), log=True),
        Parameter("components", "int", (2, 60), conditions={"prepare": ("pca",)}),
        Parameter("k", "int", (1, 50), conditions={"learner": ("neighbours",)}),
        Parameter("subsample", "double", (0.1, 1.0), conditions={"learner": ("boosting",)}),
    ),
    (Conditional("prepare", ("pca", "none")), Conditional("learner", ("neighbours", "boosting"))),
)
BUDGETED = LinearConstraint("less_than", 1.2, tuple((f"x{index}", 1.0) for index in range(5)))
CENTRE_5 = np.array([0.1, 0.4, 0.05, 0.3, 0.15])


PROVING = (
    Problem("noisy camel", Space((Parameter("x0", "double", (-3, 3)), Parameter("x1", "double", (-2, 2)))), noisy_camel, -1.0316285, noise=0.3),
    Problem("hartmann 3", Space(box(3, 0, 1)), lambda p: hartmann(HARTMANN_3, vector(p)), -3.86278),
    Problem("michalewicz 5", Space(box(5, 0, math.pi)), lambda p: michalewicz(vector(p)), -4.687658),
    Problem("styblinski-tang 8", Space(box(8, -5, 5)), lambda p: styblinski_tang(vector(p)), -39.16617 * 8),
    Problem("levy 12", Space(box(12, -7, 12)), lambda p: levy(vector(p)), 0.0),
    Problem("schedule", Space(SCHEDULE), schedule, 0.2, noise=0.003),
    Problem("pipeline", PIPELINE, pipeline, 0.3),
    Problem("failing 6", Space(box(6, 0, 1)), lambda p: None if vector(p)[0] < 0.25 or vector(p)[5] > 0.6 else ellipsoid(vector(p), CENTRE_6), 0.0),
    Problem("budgeted 5", Space(box(5, 0, 1), (), (BUDGETED,)), lambda p: ellipsoid(vector(p), CENTRE_5), 0.0),
    Problem(
        "disc",
        Space(box(4, 0, 1)),
        lambda p: float(vector(p).sum()),
        4 * 0.5 - 2 * 0.3,
        constraint=lambda p: float(np.sum((vector(p) - 0.5) ** 2)) - 0.09,
    ),
)
