"""Functions of numbers whose least values are known."""

import math

import numpy as np


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


def rotated(x: np.ndarray, centre: np.ndarray) -> float:
    """An ellipsoid that lies askew, its axes 100 times apart in curvature: least 0 at `centre`."""
    turn = np.linalg.qr(np.random.default_rng(len(x)).standard_normal((len(x), len(x))))[0]
    return ellipsoid(turn @ (x - centre), np.zeros(len(x)))


def camel(x: np.ndarray) -> float:
    """Six humps in [-3, 3] x [-2, 2]: least -1.0316285."""
    a, b = x
    return (4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (4 * b**2 - 4) * b**2


def goldstein_price(x: np.ndarray) -> float:
    """Least 3 at (0, -1) in [-2, 2] squared, over six orders of magnitude."""
    a, b = x
    first = 1 + (a + b + 1) ** 2 * (19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2)
    return first * (30 + (2 * a - 3 * b) ** 2 * (18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2))


SHEKEL = (
    np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5]) / 10,
    np.array([[4, 1, 8, 6, 3, 2, 5, 8, 6, 7], [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6], [4, 1, 8, 6, 3, 2, 5, 8, 6, 7], [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6]]),
)


def shekel(x: np.ndarray) -> float:
    """Ten pits in [0, 10]^4: least -10.536443."""
    return -float(np.sum(1 / (SHEKEL[0] + np.sum((x[:, None] - SHEKEL[1]) ** 2, axis=0))))


def dixon_price(x: np.ndarray) -> float:
    """A curved valley: least 0."""
    places = np.arange(2, len(x) + 1)
    return float((x[0] - 1) ** 2 + np.sum(places * (2 * x[1:] ** 2 - x[:-1]) ** 2))


def powell(x: np.ndarray) -> float:
    """Least 0 at the origin, where it is singular; four dimensions at a time."""
    a, b, c, d = x.reshape(-1, 4).T
    return float(np.sum((a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4))


def currin(a: float, b: float) -> float:
    """Steep at one edge of the unit square."""
    factor = 1 - math.exp(-1 / (2 * b)) if b > 0 else 1.0
    return factor * (2300 * a**3 + 1900 * a**2 + 2092 * a + 60) / (100 * a**3 + 500 * a**2 + 4 * a + 20)
