"""A Gaussian process with constant mean, Matern 5/2 kernel, a length scale for each dimension, and noise.

Hyperparameters are one array `theta`: logarithms of the length scales, of the signal variance and of the noise variance, and the mean.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import get_lapack_funcs

Array = np.ndarray
SQRT5 = 5**0.5
JITTER = 1e-9
_potrs, _trtrs = get_lapack_funcs(("potrs", "trtrs"), dtype=np.float64)
SMALLEST_VARIANCE = 1e-12


def matern(squares: Array, signal: float) -> Array:
    """From squared scaled distances the kernel. Rasmussen and Williams (2006), eq. 4.17."""
    distance = SQRT5 * np.sqrt(np.maximum(squares, 0.0))
    kernel = distance / 3
    kernel += 1
    kernel *= distance
    kernel += 1
    kernel *= np.exp(np.negative(distance, out=distance), out=distance)
    kernel *= signal
    return kernel


def matern_and_slope(squares: Array, signal: float) -> tuple[Array, Array]:
    """The kernel, and `5/3 s (1 + sqrt5 r) exp(-sqrt5 r)`, which its derivatives share."""
    distance = SQRT5 * np.sqrt(np.maximum(squares, 0.0))
    decay = signal * np.exp(-distance)
    near = 1 + distance
    return decay * (near + distance**2 / 3), 5 / 3 * decay * near


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
class GaussianProcess:
    """A fitted process over points `x` (n, width) with targets `y` (n, k), one column for each of k fantasies, and `noise` variances (n,).

    `owner` (width,) has the number of each coordinate's dimension. Points that are asked about may lack the last coordinates of `x`: they are zero.
    """

    owner: Array
    x: Array
    y: Array
    noise: Array
    theta: Array
    lower: Array

    @classmethod
    def of(cls, owner: Array, x: Array, y: Array, noise: Array, theta: Array) -> "GaussianProcess":
        """The process given its hyperparameters; nan in `noise` stands for the learned noise. Raises LinAlgError."""
        noise = np.where(np.isnan(noise), np.exp(theta[-2]), noise)
        scaled = x * np.exp(-theta[owner])
        kernel = matern(_squares(scaled, _others(scaled)), float(np.exp(theta[-3])))
        return cls(owner, x, y.reshape(len(x), -1), noise, theta, cholesky(kernel + np.diag(noise)))

    @property
    def mean(self) -> float:
        """The constant mean."""
        return float(self.theta[-1])

    @cached_property
    def signal(self) -> float:
        """The variance of the function."""
        return float(np.exp(self.theta[-3]))

    @cached_property
    def weights(self) -> Array:
        """Covariance inverse times residuals: (n, k)."""
        return self._solved(self.y - self.mean)

    @cached_property
    def means(self) -> Array:
        """The posterior means at `x`, by what the noise takes off the targets: (n, k)."""
        return self.y - self.noise[:, None] * self.weights

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means (m, k) and standard deviations (m,) of the noise-free values at `points`."""
        kernel = matern(self._squares(points), self.signal)
        half = self._half(kernel)
        variance = self.signal - np.einsum("ij,ij->j", half, half)
        return self.mean + kernel @ self.weights, np.sqrt(np.maximum(variance, SMALLEST_VARIANCE))

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """At `points` (m, w): means (m, k), standard deviations (m,), and their gradients (m, w, k) and (m, w)."""
        width = points.shape[1]
        kernel, slope = matern_and_slope(self._squares(points), self.signal)
        solved = self._solved(kernel.T).T
        deviation = np.sqrt(np.maximum(self.signal - np.einsum("ij,ij->i", kernel, solved), SMALLEST_VARIANCE))
        # d kernel / d point = -slope (point - x) / length^2: (m, w, n)
        moved = (self.x[:, :width].T - points[:, :, None]) * slope[:, None]
        moved *= self._inverse_lengths[:width, None] ** 2
        deviation_slope = (moved @ solved[:, :, None])[:, :, 0] / -deviation[:, None]
        return self.mean + kernel @ self.weights, deviation, moved @ self.weights, deviation_slope

    def condition_on(self, points: Array, draws: Array, shares: Array | float = 1e-6) -> "GaussianProcess":
        """The process conditioned on sampled values at `points` (p, w): one fantasy for each column of the standard normal `draws` (p, k).

        `shares` (p,) are the noise variances of these values as shares of the signal variance.
        """
        kernel = matern(self._squares(points), self.signal)
        half = self._half(kernel)
        scaled = self._scaled(points)
        own = matern(_squares(scaled, _others(scaled)), self.signal)
        covariance = own - half.T @ half
        noise = np.broadcast_to(shares, len(points)) * self.signal
        corner = cholesky(covariance + np.diag(noise))
        samples = self.mean + kernel @ self.weights[:, :1] + corner @ draws
        count = len(self.x)
        lower = np.zeros((count + len(points),) * 2)
        lower[:count, :count], lower[count:, :count], lower[count:, count:] = self.lower, half.T, corner
        return GaussianProcess(
            self.owner,
            np.concatenate([self.x, self._padded(points)]),
            np.concatenate([np.repeat(self.y[:, :1], draws.shape[1], axis=1), samples]),
            np.concatenate([self.noise, noise]),
            self.theta,
            lower,
        )

    def covariance(self, first: Array, second: Array) -> Array:
        """Posterior covariances of noise-free values: (len(first), len(second))."""
        own = matern(_squares(self._scaled(first), _others(self._scaled(second))), self.signal)
        halves = [self._half(matern(self._squares(points), self.signal)) for points in (first, second)]
        return own - halves[0].T @ halves[1]

    @cached_property
    def _factor(self) -> Array:
        """The lower factor as LAPACK has it, column by column."""
        return np.asfortranarray(self.lower)

    def _solved(self, right: Array) -> Array:
        """Covariance inverse times `right` (n, m)."""
        return _potrs(self._factor, right, lower=1)[0]

    def _half(self, kernel: Array) -> Array:
        """The inverse of the lower factor times the transpose of `kernel` (m, n): (n, m)."""
        return _trtrs(self._factor, kernel.T, lower=1)[0]

    @cached_property
    def _inverse_lengths(self) -> Array:
        return np.exp(-self.theta[self.owner])

    @cached_property
    def _scaled_x(self) -> tuple[Array, Array]:
        return _others(self.x * self._inverse_lengths)

    def _scaled(self, points: Array) -> Array:
        return self._padded(points) * self._inverse_lengths

    def _squares(self, points: Array) -> Array:
        """Squared scaled distances of `points` (m, w) from `x`: (m, n)."""
        return _squares(self._scaled(points), self._scaled_x)

    def _padded(self, points: Array) -> Array:
        missing = self.x.shape[1] - points.shape[1]
        return np.concatenate([points, np.zeros((len(points), missing))], axis=1) if missing else points


@dataclass(frozen=True)
class Ensemble:
    """Processes over the same points, all as likely to be the right one and each with as many fantasies: c columns, member by member."""

    members: tuple[GaussianProcess, ...]

    @property
    def fantasies(self) -> int:
        """The columns of each member."""
        return self.members[0].y.shape[1]

    def known(self, width: int) -> Array:
        """The means (n, c) at the members' own points, without coordinates beyond `width`."""
        first = self.members[0].x
        if first.shape[1] > width:
            return self.predict(first[:, :width])[0]
        return np.concatenate([one.means for one in self.members], axis=1)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means and standard deviations of the noise-free values at `points` (m, width): (m, c) each."""
        means, deviations = zip(*(one.predict(points) for one in self.members), strict=True)
        return np.concatenate(means, axis=1), np.stack(deviations, axis=1).repeat(self.fantasies, axis=1)

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """At `points` (m, width): means and standard deviations, (m, c) each, and their gradients, (m, width, c) each."""
        means, deviations, mean_slopes, deviation_slopes = zip(*(one.slopes(points) for one in self.members), strict=True)
        return (
            np.concatenate(means, axis=1),
            np.stack(deviations, axis=1).repeat(self.fantasies, axis=1),
            np.concatenate(mean_slopes, axis=2),
            np.stack(deviation_slopes, axis=2).repeat(self.fantasies, axis=2),
        )


def _others(points: Array) -> tuple[Array, Array]:
    """What squared distances from `points` (n, w) are made of: -2 times them, transposed, and their squared norms."""
    return -2 * points.T, np.sum(points**2, axis=1)


def _squares(points: Array, others: tuple[Array, Array]) -> Array:
    """Squared distances (m, n) of `points` (m, w) from those that `others` is made from."""
    result = points @ others[0]
    result += np.sum(points**2, axis=1)[:, None]
    result += others[1]
    return result
