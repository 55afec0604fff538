"""A Gaussian process with constant mean, Matern 5/2 kernel, a length scale for each dimension, and noise.

Hyperparameters are one array `theta`: logarithms of the length scales, of the signal variance and of the noise variance, and the mean.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

Array = np.ndarray
SQRT5 = 5**0.5
JITTER = 1e-9
SMALLEST_VARIANCE = 1e-12


def matern(squares: Array, signal: float) -> tuple[Array, Array]:
    """From squared scaled distances the kernel and `5/3 s (1 + sqrt5 r) exp(-sqrt5 r)`, which its derivatives share.

    Rasmussen and Williams (2006), eq. 4.17.
    """
    distance = SQRT5 * np.sqrt(np.maximum(squares, 0.0))
    decay = signal * np.exp(-distance)
    slope = 5 / 3 * decay * (1 + distance)
    return decay * (1 + distance + distance**2 / 3), slope


def cholesky(matrix: Array) -> Array:
    """The lower factor of a covariance; raises LinAlgError if it has none even with more and more added to its diagonal."""
    jitter = JITTER * float(np.mean(np.diag(matrix)))
    for _ in range(8):
        try:
            return np.linalg.cholesky(matrix + jitter * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            jitter *= 10
    raise np.linalg.LinAlgError("the covariance is not positive definite, whatever is added to its diagonal")


@dataclass(frozen=True)
class Process:
    """A fitted process over points `x` (n, width) with targets `y` (n, k), one column for each of k worlds, and `noise` variances (n,).

    `owner` (width,) has the number of each coordinate's dimension. Points that are asked about may lack the last coordinates of `x`: they are zero.
    """

    owner: Array
    x: Array
    y: Array
    noise: Array
    theta: Array
    lower: Array

    @classmethod
    def of(cls, owner: Array, x: Array, y: Array, noise: Array, theta: Array) -> "Process":
        """The process given its hyperparameters; nan in `noise` stands for the learned noise. Raises LinAlgError."""
        noise = np.where(np.isnan(noise), np.exp(theta[-2]), noise)
        inverse = np.exp(-theta[owner])
        kernel, _ = matern(_squares(x * inverse, x * inverse), float(np.exp(theta[-3])))
        return cls(owner, x, y.reshape(len(x), -1), noise, theta, cholesky(kernel + np.diag(noise)))

    @property
    def mean(self) -> float:
        """The constant mean."""
        return float(self.theta[-1])

    @property
    def signal(self) -> float:
        """The variance of the function."""
        return float(np.exp(self.theta[-3]))

    @cached_property
    def weights(self) -> Array:
        """Covariance inverse times residuals: (n, k)."""
        return cho_solve((self.lower, True), self.y - self.mean, check_finite=False)

    @cached_property
    def means(self) -> Array:
        """The posterior means at `x`, by what the noise takes off the targets: (n, k)."""
        return self.y - self.noise[:, None] * self.weights

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means (m, k) and standard deviations (m,) of the noise-free values at `points`."""
        kernel, _ = self._cross(points)
        half = solve_triangular(self.lower, kernel.T, lower=True, check_finite=False)
        variance = self.signal - np.einsum("ij,ij->j", half, half)
        return self.mean + kernel @ self.weights, np.sqrt(np.maximum(variance, SMALLEST_VARIANCE))

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """At `points` (m, w): means (m, k), standard deviations (m,), and their gradients (m, w, k) and (m, w)."""
        width = points.shape[1]
        kernel, slope = self._cross(points)
        solved = cho_solve((self.lower, True), kernel.T, check_finite=False).T
        deviation = np.sqrt(np.maximum(self.signal - np.einsum("ij,ij->i", kernel, solved), SMALLEST_VARIANCE))
        # d kernel / d point = -slope * (point - x) / length^2: (m, n, w)
        moved = -slope[:, :, None] * (points[:, None] - self.x[None, :, :width]) * np.exp(-2 * self.theta[self.owner[:width]])
        mean_slope = np.swapaxes(moved, 1, 2) @ self.weights
        deviation_slope = -np.einsum("mnw,mn->mw", moved, solved) / deviation[:, None]
        return self.mean + kernel @ self.weights, deviation, mean_slope, deviation_slope

    def given(self, points: Array, draws: Array, shares: Array | float = 1e-6) -> "Process":
        """The process that also sees values at `points` (p, w), one world for each column of the standard normal `draws` (p, k).

        `shares` (p,) are the variances of what is seen as shares of the function's own.
        """
        kernel, _ = self._cross(points)
        half = solve_triangular(self.lower, kernel.T, lower=True, check_finite=False)
        inverse = np.exp(-self.theta[self.owner])
        scaled = self._padded(points) * inverse
        own, _ = matern(_squares(scaled, scaled), self.signal)
        covariance = own - half.T @ half
        noise = np.broadcast_to(shares, len(points)) * self.signal
        corner = cholesky(covariance + np.diag(noise))
        samples = self.mean + kernel @ self.weights[:, :1] + corner @ draws
        count = len(self.x)
        lower = np.zeros((count + len(points),) * 2)
        lower[:count, :count], lower[count:, :count], lower[count:, count:] = self.lower, half.T, corner
        return Process(
            self.owner,
            np.concatenate([self.x, self._padded(points)]),
            np.concatenate([np.repeat(self.y[:, :1], draws.shape[1], axis=1), samples]),
            np.concatenate([self.noise, noise]),
            self.theta,
            lower,
        )

    def covariance(self, first: Array, second: Array) -> Array:
        """Posterior covariances of noise-free values: (len(first), len(second))."""
        inverse = np.exp(-self.theta[self.owner])
        own, _ = matern(_squares(self._padded(first) * inverse, self._padded(second) * inverse), self.signal)
        halves = [solve_triangular(self.lower, self._cross(points)[0].T, lower=True, check_finite=False) for points in (first, second)]
        return own - halves[0].T @ halves[1]

    def _cross(self, points: Array) -> tuple[Array, Array]:
        inverse = np.exp(-self.theta[self.owner])
        return matern(_squares(self._padded(points) * inverse, self.x * inverse), self.signal)

    def _padded(self, points: Array) -> Array:
        missing = self.x.shape[1] - points.shape[1]
        return np.concatenate([points, np.zeros((len(points), missing))], axis=1) if missing else points


def _squares(first: Array, second: Array) -> Array:
    result = -2 * first @ second.T
    result += np.sum(first**2, axis=1)[:, None]
    result += np.sum(second**2, axis=1)
    return result
