"""Expected improvement of one metric, in logarithms, and the chance that a condition holds: terms of an acquisition.

A term has `value(points) -> (m,)` and `slopes(points) -> (m,), (m, width)`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from trialflow.optimizer.gp import Ensemble

Array = np.ndarray
LOG_2PI = float(np.log(2 * np.pi))


def log_h(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), stable for very negative z. Ament et al. (2023), "Unexpected improvements to expected improvement", eq. 9."""
    result, is_near = np.empty_like(z), z > -1
    near, far = z[is_near], z[~is_near]
    result[is_near] = np.log(np.exp(-0.5 * near**2 - 0.5 * LOG_2PI) + near * ndtr(near))
    tail = -far * erfcx(-far / 2**0.5) * (np.pi / 2) ** 0.5
    with np.errstate(divide="ignore"):
        middle = np.where(far > -1e4, np.log1p(-np.minimum(tail, 1.0)), -2 * np.log(-far))
    result[~is_near] = -0.5 * far**2 - 0.5 * LOG_2PI + middle
    return result


def log_h_slope(z: Array, value: Array) -> Array:
    """The derivative of `log_h`, whose `value` is known: Phi(z) / (phi(z) + z Phi(z))."""
    return np.exp(np.minimum(log_ndtr(z) - value, 700.0))


def log_mean_exp(logs: Array) -> tuple[Array, Array]:
    """Along the last axis log of the mean of exp, and each one's share in it."""
    highest = logs.max(axis=-1, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    parts = np.exp(logs - highest)
    total = np.maximum(parts.sum(axis=-1, keepdims=True), 1e-300)
    return highest[..., 0] + np.log(total[..., 0] / logs.shape[-1]), parts / total


def chain_rule(outer: Array, inner: Array) -> Array:
    """Gradients (m, width) from the derivatives (m, c) by columns and the columns' own gradients (m, width, c)."""
    return (inner @ outer[:, :, None])[:, :, 0]


@dataclass(frozen=True)
class ExpectedImprovement:
    """Log expected improvement over `best` (c,), averaged over the c columns of `ensemble`."""

    ensemble: Ensemble
    best: Array

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        mean, deviation = self.ensemble.predict(points)
        return log_mean_exp(log_h((mean - self.best) / deviation) + np.log(deviation))[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        mean, deviation, mean_slope, deviation_slope = self.ensemble.slopes(points)
        z = (mean - self.best) / deviation
        log = log_h(z)
        value, share = log_mean_exp(log + np.log(deviation))
        by_mean = share * log_h_slope(z, log) / deviation
        return value, chain_rule(by_mean, mean_slope) + chain_rule(share / deviation - by_mean * z, deviation_slope)


@dataclass(frozen=True)
class Feasibility:
    """Log probability, averaged over the columns of `ensemble`, that a value is above `threshold`; `doubt` is a variance added to its own."""

    ensemble: Ensemble
    threshold: float
    doubt: float = 0.0

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        mean, deviation = self.ensemble.predict(points)
        return log_mean_exp(log_ndtr((mean - self.threshold) / np.sqrt(deviation**2 + self.doubt)))[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        mean, deviation, mean_slope, deviation_slope = self.ensemble.slopes(points)
        width = np.sqrt(deviation**2 + self.doubt)
        z = (mean - self.threshold) / width
        log = log_ndtr(z)
        value, share = log_mean_exp(log)
        by_mean = share * np.exp(-0.5 * z**2 - 0.5 * LOG_2PI - log) / width
        return value, chain_rule(by_mean, mean_slope) - chain_rule(by_mean * z * deviation / width, deviation_slope)
