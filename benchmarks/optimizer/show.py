"""The problems that show how good the optimizer is; nothing in it was chosen by them."""

import math

import numpy as np

from benchmarks.optimizer.problem import Point, Problem, box, number, vector
from benchmarks.optimizer.real import CANCER, DIABETES, svc_of_cancer, svr_of_diabetes
from benchmarks.optimizer.shapes import (
    HARTMANN_3,
    branin,
    camel,
    currin,
    dixon_price,
    ellipsoid,
    goldstein_price,
    hartmann,
    levy,
    michalewicz,
    rotated,
    shekel,
    styblinski_tang,
)
from trialflow.optimizer import Conditional, LinearConstraint, Parameter, Space


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
CENTRE_5, CENTRE_6 = np.array([0.1, 0.4, 0.05, 0.3, 0.15]), np.array([0.71, 0.22, 0.58, 0.4, 0.83, 0.35])
CENTRE_20 = np.random.default_rng(20).uniform(0.1, 0.9, 20)


def switches(point: Point) -> float:
    """Ackley's function of three numbers, two counts and three switches that are best off the middle."""
    switched = [{"off": 0.0, "low": 0.6, "high": 1.0}[str(point[f"s{index}"])] - target for index, target in enumerate((0.0, 1.0, 0.6))]
    counted = [(number(point, "n") - 7) / 5, (number(point, "m") - 2) / 5]
    x = np.array([*(vector(point) - 0.4), *counted, *switched])
    return float(-20 * np.exp(-0.2 * np.sqrt(np.mean(x**2))) - np.exp(np.mean(np.cos(np.pi * x))) + 20 + math.e)


SWITCHES = (
    *box(3, -1, 1),
    Parameter("n", "int", (0, 10)),
    Parameter("m", "int", (0, 10)),
    *(Parameter(f"s{index}", "categorical", categories=("off", "low", "high")) for index in range(3)),
)


def beam(point: Point) -> float:
    """What a welded beam costs."""
    h, length, t, b = vector(point)
    return 1.10471 * h**2 * length + 0.04811 * t * b * (14.0 + length)


def beam_over(point: Point) -> float:
    """By how much the welded beam is over the worst of its limits: stress, bending, geometry, deflection, buckling. Deb (2000)."""
    h, length, t, b = vector(point)
    load, span, elastic, shear = 6000.0, 14.0, 30e6, 12e6
    first = load / (2**0.5 * h * length)
    radius = math.sqrt(length**2 / 4 + ((h + t) / 2) ** 2)
    second = load * (span + length / 2) * radius / (2 * 2**0.5 * h * length * (length**2 / 12 + ((h + t) / 2) ** 2))
    stress = math.sqrt(first**2 + first * second * length / radius + second**2)
    bending = 6 * load * span / (b * t**2)
    bent = 4 * load * span**3 / (elastic * t**3 * b)
    buckling = 4.013 * elastic * math.sqrt(t**2 * b**6 / 36) / span**2 * (1 - t / (2 * span) * math.sqrt(elastic / (4 * shear)))
    return max(stress / 13600 - 1, bending / 30000 - 1, h - b, bent / 0.25 - 1, 1 - buckling / load)


BEAM = tuple(Parameter(f"x{index}", "double", bounds) for index, bounds in enumerate(((0.125, 5.0), (0.1, 10.0), (0.1, 10.0), (0.1, 5.0))))


def vessel(point: Point) -> float:
    """What a pressure vessel costs, in thousands: two thicknesses in sixteenths of an inch, radius and length."""
    a, b = 0.0625 * number(point, "shell"), 0.0625 * number(point, "head")
    r, length = number(point, "radius"), number(point, "length")
    return (0.6224 * a * r * length + 1.7781 * b * r**2 + 3.1661 * a**2 * length + 19.84 * a**2 * r) / 1000


def vessel_over(point: Point) -> float:
    """By how much the pressure vessel is too thin or too small."""
    r, length = number(point, "radius"), number(point, "length")
    volume = math.pi * r**2 * length + 4 / 3 * math.pi * r**3
    thin = max(0.0193 * r - 0.0625 * number(point, "shell"), 0.00954 * r - 0.0625 * number(point, "head"))
    return max(thin, 1 - volume / 1296000)


VESSEL = (
    Parameter("shell", "int", (1, 40)),
    Parameter("head", "int", (1, 40)),
    Parameter("radius", "double", (10.0, 100.0)),
    Parameter("length", "double", (10.0, 200.0)),
)


def served(point: Point) -> float:
    """The error of an imagined model that has to be served as well."""
    size, bits = number(point, "size"), {"8": 0.05, "16": 0.01, "32": 0.0}[str(point["bits"])]
    return 0.1 + 0.6 * math.exp(-size / 12) + bits + 0.05 * (math.log10(number(point, "rate")) + 2.5 + size / 40) ** 2


def served_in(point: Point) -> float:
    """How long it takes to answer."""
    return number(point, "size") / 40 * {"8": 0.4, "16": 0.6, "32": 1.0}[str(point["bits"])] * (1 + 0.5 * (number(point, "batch") - 0.3) ** 2)


SERVED = (
    Parameter("size", "int", (1, 40)),
    Parameter("bits", "categorical", categories=("8", "16", "32")),
    Parameter("rate", "double", (1e-5, 1.0), log=True),
    Parameter("batch", "double", (0.0, 1.0)),
)


def bent_front(point: Point) -> float:
    """The second metric of a front in five dimensions that all have to be right for it."""
    x = vector(point)
    far = 1 + 4 * float(np.mean(np.abs(x[1:] - 0.35)))
    return far * (1 - (x[0] / far) ** 2) / 2


CAMEL = (Parameter("x0", "double", (-3, 3)), Parameter("x1", "double", (-2, 2)))


SHOW = (
    Problem(
        "noisy camel",
        Space((Parameter("x0", "double", (-3, 3)), Parameter("x1", "double", (-2, 2)))),
        lambda p: camel(vector(p)),
        -1.0316285,
        noise=0.3,
    ),
    Problem("goldstein-price", Space(box(2, -2, 2)), lambda p: math.log(goldstein_price(vector(p))), math.log(3)),
    Problem("hartmann 3", Space(box(3, 0, 1)), lambda p: hartmann(HARTMANN_3, vector(p)), -3.86278),
    Problem("shekel 4", Space(box(4, 0, 10)), lambda p: shekel(vector(p)), -10.536443),
    Problem("michalewicz 5", Space(box(5, 0, math.pi)), lambda p: michalewicz(vector(p)), -4.687658),
    Problem("styblinski-tang 8", Space(box(8, -5, 5)), lambda p: styblinski_tang(vector(p)), -39.16617 * 8),
    Problem("rotated 8", Space(box(8, 0, 1)), lambda p: rotated(vector(p), CENTRE_20[:8]), 0.0),
    Problem("noisy rotated 10", Space(box(10, 0, 1)), lambda p: rotated(vector(p), CENTRE_20[:10]), 0.0, noise=2.0),
    Problem("dixon-price 10", Space(box(10, -10, 10)), lambda p: dixon_price(vector(p)), 0.0),
    Problem("levy 12", Space(box(12, -7, 12)), lambda p: levy(vector(p)), 0.0),
    Problem("ellipsoid 20", Space(box(20, 0, 1)), lambda p: ellipsoid(vector(p), CENTRE_20), 0.0),
    Problem("schedule", Space(SCHEDULE), schedule, 0.2, noise=0.003),
    Problem("switches 8", Space(SWITCHES), switches, 0.0),
    Problem("svr of diabetes", DIABETES, svr_of_diabetes, 2.9183),
    Problem("svc of cancer", CANCER, svc_of_cancer, 0.0882),
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
    Problem("welded beam", Space(BEAM), beam, 1.7248, constraint=beam_over),
    Problem("pressure vessel", Space(VESSEL), vessel, 6.0597, constraint=vessel_over),
    Problem(
        "branin and currin",
        Space(box(2, 0, 1)),
        lambda p: branin(15 * vector(p)[0] - 5, 15 * vector(p)[1]),
        59.36012,
        second=lambda p: currin(*vector(p)),
        corner=(18.0, 6.0),
    ),
    Problem("served", Space(SERVED), served, 0.58518, second=served_in, corner=(0.8, 1.0)),
    Problem("bent front 5", Space(box(5, 0, 1)), lambda p: float(vector(p)[0]), 0.87667, second=bent_front, corner=(1.1, 1.1)),
)
