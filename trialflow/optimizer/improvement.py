"""Expected improvement of one metric, in logarithms, and the chance that a condition holds: terms of an acquisition.

A term has `value(points) -> (m,)` and `slopes(points) -> (m,), (m, width)`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from trialflow.optimizer.gp import Process

Array = np.ndarray
LOG_2PI = float(np.log(2 * np.pi))


def log_h(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), stable for very negative z. Ament et al. (2023), "Unexpected improvements to expected improvement", eq. 9."""
    near, far = np.maximum(z, -1.0), np.minimum(z, -1.0)
    phi = np.exp(-0.5 * near**2 - 0.5 * LOG_2PI)
    tail = -far * erfcx(-far / 2**0.5) * (np.pi / 2) ** 0.5
    with np.errstate(divide="ignore"):
        middle = np.where(far > -1e4, np.log1p(-np.minimum(tail, 1.0)), -2 * np.log(-far))
    return np.where(z > -1, np.log(phi + near * ndtr(near)), -0.5 * far**2 - 0.5 * LOG_2PI + middle)


def log_h_slope(z: Array) -> Array:
    """The derivative of `log_h`: Phi(z) / (phi(z) + z Phi(z))."""
    return np.exp(np.minimum(log_ndtr(z) - log_h(z), 700.0))


def log_mean_exp(logs: Array) -> tuple[Array, Array]:
    """Along the last axis log of the mean of exp, and each one's share in it."""
    highest = logs.max(axis=-1, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    parts = np.exp(logs - highest)
    total = np.maximum(parts.sum(axis=-1, keepdims=True), 1e-300)
    return highest[..., 0] + np.log(total[..., 0] / logs.shape[-1]), parts / total


@dataclass(frozen=True)
class ExpectedImprovement:
    """Log expected improvement over `best` (k,), averaged over the k worlds of `process`."""

    process: Process
    best: Array

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        mean, deviation = self.process.predict(points)
        logs = log_h((mean - self.best) / deviation[:, None]) + np.log(deviation)[:, None]
        return log_mean_exp(logs)[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        mean, deviation, mean_slope, deviation_slope = self.process.slopes(points)
        z = (mean - self.best) / deviation[:, None]
        value, share = log_mean_exp(log_h(z) + np.log(deviation)[:, None])
        by_mean = share * log_h_slope(z) / deviation[:, None]
        by_deviation = 1 / deviation - np.sum(by_mean * z, axis=1)
        return value, np.einsum("mwk,mk->mw", mean_slope, by_mean) + by_deviation[:, None] * deviation_slope


@dataclass(frozen=True)
class Chance:
    """Log probability that the value of `process` is above `threshold`; `doubt` is a variance added to the process's own."""

    process: Process
    threshold: float
    doubt: float = 0.0

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        mean, deviation = self.process.predict(points)
        return log_ndtr((mean[:, 0] - self.threshold) / np.sqrt(deviation**2 + self.doubt))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        mean, deviation, mean_slope, deviation_slope = self.process.slopes(points)
        width = np.sqrt(deviation**2 + self.doubt)
        z = (mean[:, 0] - self.threshold) / width
        value = log_ndtr(z)
        z_slope = mean_slope[:, :, 0] / width[:, None] - (z * deviation / width**2)[:, None] * deviation_slope
        return value, np.exp(-0.5 * z**2 - 0.5 * LOG_2PI - value)[:, None] * z_slope
