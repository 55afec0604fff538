"""A Gaussian process with constant mean, Matern 5/2 kernel, a length scale for each parameter, and learned noise; fitted by maximum a posteriori."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

Array = np.ndarray
SQRT5 = 5**0.5
LENGTH_SD, NOISE_MEAN, NOISE_SD, MEAN_SD = 1.2, -7.0, 1.5, 0.5
BOUNDS_LENGTH, BOUNDS_SIGNAL, BOUNDS_NOISE = (-4.0, 5.0), (-4.0, 4.0), (-13.0, 2.0)
JITTER = 1e-9


@dataclass(frozen=True)
class Shape:
    """Which parameter each coordinate belongs to: `owner` has one number for each."""

    owner: Array

    @cached_property
    def count(self) -> int:
        """How many parameters there are."""
        return int(self.owner.max()) + 1

    @property
    def prior_length(self) -> float:
        """Logarithm of the length scale that is expected: it grows with the root of the dimension, as distances do."""
        return float(np.log(0.67) + 0.5 * np.log(self.count))

    def start(self) -> Array:
        """The prior's mode: log lengths, log signal variance, log noise variance, mean."""
        return np.array([self.prior_length] * self.count + [0.0, NOISE_MEAN, 0.0])

    def squares(self, first: Array, second: Array) -> Array:
        """Squared distances by parameter: (parameters, len(first), len(second))."""
        result = np.zeros((self.count, len(first), len(second)))
        for column, owner in enumerate(self.owner):
            result[owner] += (first[:, column, None] - second[None, :, column]) ** 2
        return result


def _matern(squares: Array, theta: Array) -> tuple[Array, Array]:
    """The kernel and `5/3 s (1 + sqrt5 r) exp(-sqrt5 r)`, which its derivatives share. Rasmussen and Williams (2006), eq. 4.17."""
    scaled = np.tensordot(np.exp(-2 * theta[: len(squares)]), squares, 1)
    distance = SQRT5 * np.sqrt(np.maximum(scaled, 0.0))
    decay = np.exp(theta[len(squares)] - distance)
    return decay * (1 + distance + distance**2 / 3), 5 / 3 * decay * (1 + distance)


@dataclass(frozen=True)
class Posterior:
    """A fitted process over points `x` (n, width) with targets `y` (n,) and `noise` variances known beforehand (nan: learned)."""

    shape: Shape
    x: Array
    y: Array
    noise: Array
    theta: Array

    @cached_property
    def lower(self) -> Array:
        """Cholesky factor of the covariance of the observations."""
        kernel, _ = _matern(self.shape.squares(self.x, self.x), self.theta)
        variances = np.where(np.isnan(self.noise), np.exp(self.theta[-2]), self.noise)
        return _cholesky(kernel + np.diag(variances))

    @property
    def mean(self) -> float:
        """The constant mean."""
        return float(self.theta[-1])

    @cached_property
    def weights(self) -> Array:
        """Covariance inverse times residuals."""
        return cho_solve((self.lower, True), self.y - self.mean)

    def cross(self, points: Array) -> tuple[Array, Array]:
        """Kernel between `points` and `x`, and the factor of its derivatives: both (points, n)."""
        return _matern(self.shape.squares(points, self.x), self.theta)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at `points`."""
        kernel, _ = self.cross(points)
        half = solve_triangular(self.lower, kernel.T, lower=True)
        variance = np.exp(self.theta[self.shape.count]) - np.sum(half**2, axis=0)
        return self.mean + kernel @ self.weights, np.sqrt(np.maximum(variance, 1e-12))

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Mean and covariance of the noise-free values at `points`."""
        kernel, _ = self.cross(points)
        half = solve_triangular(self.lower, kernel.T, lower=True)
        own, _ = _matern(self.shape.squares(points, points), self.theta)
        return self.mean + kernel @ self.weights, own - half.T @ half


def _cholesky(matrix: Array) -> Array:
    jitter = JITTER * float(np.mean(np.diag(matrix)))
    for _ in range(8):
        try:
            return np.linalg.cholesky(matrix + jitter * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise np.linalg.LinAlgError("the covariance is not positive definite, whatever is added to its diagonal")


def learn(shape: Shape, x: Array, y: Array, noise: Array) -> Array:
    """The most probable hyperparameters. `noise` has the variance of each target, nan where it is to be learned.

    What was learned is remembered: the same data always give the same answer, and only the first time takes a search.
    """
    return _most_probable(tuple(int(one) for one in shape.owner), x.tobytes(), y.tobytes(), noise.tobytes())


def refit_at(count: int) -> int:
    """How many of `count` observations the hyperparameters are learned from: all up to 20, then in steps of about a tenth.

    They change little from one observation to the next, and learning them is most of the work of a suggestion.
    """
    if count <= 20:
        return count
    step = max(1, (1 << count.bit_length()) // 10)
    return count // step * step


@lru_cache(maxsize=256)
def _most_probable(owner: tuple[int, ...], x_bytes: bytes, y_bytes: bytes, noise_bytes: bytes) -> Array:
    shape = Shape(np.array(owner))
    x, y, noise = np.frombuffer(x_bytes).reshape(-1, len(owner)), np.frombuffer(y_bytes), np.frombuffer(noise_bytes)
    starts = [shape.start()]
    squares = shape.squares(x, x)
    bounds = [BOUNDS_LENGTH] * shape.count + [BOUNDS_SIGNAL, BOUNDS_NOISE, (-3.0, 3.0)]
    low, high = np.array(bounds).T
    best = min(
        (
            minimize(
                loss, np.clip(start, low, high), args=(shape, squares, y, noise), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
            )
            for start in starts
        ),
        key=lambda result: result.fun,
    )
    return best.x


def loss(theta: Array, shape: Shape, squares: Array, y: Array, noise: Array) -> tuple[float, Array]:
    """Negative log posterior of the hyperparameters and its gradient. Rasmussen and Williams (2006), eq. 5.8 and 5.9, plus normal priors."""
    count = shape.count
    kernel, slope = _matern(squares, theta)
    learned = np.isnan(noise)
    variances = np.where(learned, np.exp(theta[-2]), noise)
    try:
        lower = _cholesky(kernel + np.diag(variances))
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    residual = y - theta[-1]
    weights = cho_solve((lower, True), residual)
    inverse = cho_solve((lower, True), np.eye(len(y)))
    value = 0.5 * residual @ weights + np.sum(np.log(np.diag(lower)))
    inner = inverse - np.outer(weights, weights)
    gradient = np.empty_like(theta)
    shared = inner * slope
    for index in range(count):
        gradient[index] = 0.5 * np.sum(shared * squares[index]) * np.exp(-2 * theta[index])
    gradient[count] = 0.5 * np.sum(inner * kernel)
    gradient[-2] = 0.5 * np.exp(theta[-2]) * np.sum(np.diag(inner)[learned])
    gradient[-1] = -np.sum(weights)
    deviation = theta - np.concatenate([np.full(count, shape.prior_length), [0.0, NOISE_MEAN, 0.0]])
    spread = np.concatenate([np.full(count, LENGTH_SD), [1.0, NOISE_SD, MEAN_SD]])
    return float(value + 0.5 * np.sum((deviation / spread) ** 2)), gradient + deviation / spread**2
