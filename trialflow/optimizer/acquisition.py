"""How good a point would be to try: log expected improvement, averaged over what the pending points may give, times the chance of success."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import erfcx, log_ndtr, ndtr

from trialflow.optimizer.gp import Posterior

Array = np.ndarray
FANTASIES = 16
SOFTNESS = 0.1
"""Variance by which a condition's border is blurred: what is modelled as certain may be wrong."""
LOG_2PI = float(np.log(2 * np.pi))


def log_h(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), stable for very negative z. Ament et al. (2023), "Unexpected improvements to expected improvement", eq. 9."""
    result = np.empty_like(z)
    near = z > -1
    phi = np.exp(-0.5 * z[near] ** 2 - 0.5 * LOG_2PI)
    result[near] = np.log(phi + z[near] * ndtr(z[near]))
    far = z[~near]
    tail = np.abs(far) * erfcx(-far / 2**0.5) * (np.pi / 2) ** 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.log1p(-tail)
    result[~near] = -0.5 * far**2 - 0.5 * LOG_2PI + np.where(far > -1e4, middle, -2 * np.log(np.abs(far)))
    return result


def log_h_slope(z: Array) -> Array:
    """The derivative of `log_h`: Phi(z) / (phi(z) + z Phi(z))."""
    return np.exp(np.minimum(log_ndtr(z) - log_h(z), 700.0))


@dataclass(frozen=True)
class Acquisition:
    """Log expected improvement over `model`, whose points end with the pending ones; `weights` (n, fantasies) has one column for each fantasy.

    `best` (fantasies,) is the value to improve on. `conditions` are processes that have to be above 0: success, and each constraint.
    """

    model: Posterior
    weights: Array
    best: Array
    conditions: tuple[Posterior, ...]

    @classmethod
    def over(cls, model: Posterior, pending: Array, conditions: tuple[Posterior, ...], rng: np.random.Generator) -> "Acquisition":
        """The acquisition that sees `pending` (p, width) through joint samples of what they may give, antithetic."""
        if len(pending) == 0:
            mean, _ = model.predict(model.x)
            return cls(model, model.weights[:, None], incumbent(mean[:, None], holds(conditions, model.x)), conditions)
        mean, covariance = model.joint(pending)
        root = np.linalg.cholesky(covariance + (1e-8 + 1e-6 * np.trace(covariance) / len(mean)) * np.eye(len(mean)))
        half = rng.standard_normal((len(pending), FANTASIES // 2))
        samples = mean[:, None] + root @ np.concatenate([half, -half], axis=1)
        known = np.repeat(model.y[:, None], FANTASIES, axis=1)
        certain = np.full(len(pending), 1e-6)
        grown = Posterior(
            model.shape,
            np.concatenate([model.x, pending]),
            np.concatenate([model.y, mean]),
            np.concatenate([np.where(np.isnan(model.noise), np.exp(model.theta[-2]), model.noise), certain]),
            model.theta,
        )
        weights = cho_solve((grown.lower, True), np.concatenate([known, samples]) - grown.mean)
        kernel, _ = grown.cross(grown.x)
        return cls(grown, weights, incumbent(grown.mean + kernel @ weights, holds(conditions, grown.x)), conditions)

    def value(self, points: Array) -> Array:
        """The acquisition at `points` (m, width): (m,)."""
        kernel, _ = self.model.cross(points)
        half = solve_triangular(self.model.lower, kernel.T, lower=True)
        deviation = np.sqrt(np.maximum(np.exp(self.model.theta[self.model.shape.count]) - np.sum(half**2, axis=0), 1e-12))
        z = (self.model.mean + kernel @ self.weights - self.best) / deviation[:, None]
        logs = log_h(z) + np.log(deviation)[:, None]
        highest = logs.max(axis=1)
        return highest + np.log(np.mean(np.exp(logs - highest[:, None]), axis=1)) + self._log_success(points)

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The acquisition at one point (width,) and its gradient."""
        mean, variance, mean_slope, variance_slope = slopes(self.model, point, self.weights)
        deviation = variance**0.5
        deviation_slope = variance_slope / (2 * deviation)
        z = (mean - self.best) / deviation
        logs = log_h(z)
        share = np.exp(logs - logs.max())
        z_slope = (mean_slope - deviation_slope[:, None] * z[None]) / deviation
        gradient = z_slope @ (share / share.sum() * log_h_slope(z)) + deviation_slope / deviation
        value = float(logs.max() + np.log(np.mean(share)) + np.log(deviation))
        for condition in self.conditions:
            mean, variance, mean_slope, variance_slope = slopes(condition, point, condition.weights[:, None])
            width = (SOFTNESS + variance) ** 0.5
            t = mean / width
            t_slope = mean_slope[:, 0] / width - mean[0] * variance_slope / (2 * width**3)
            value += float(log_ndtr(t)[0])
            gradient = gradient + t_slope * np.exp(-0.5 * t[0] ** 2 - 0.5 * LOG_2PI - log_ndtr(t)[0])
        return value, gradient

    def _log_success(self, points: Array) -> Array:
        chance = np.zeros(len(points))
        for condition in self.conditions:
            mean, deviation = condition.predict(points)
            chance += log_ndtr(mean / np.sqrt(SOFTNESS + deviation**2))
        return chance


def slopes(model: Posterior, point: Array, weights: Array) -> tuple[Array, float, Array, Array]:
    """At one point (width,): means (k,) for the columns of `weights` (n, k), variance, and their gradients (width, k) and (width,)."""
    kernel, slope = model.cross(point[None])
    inverse_squares = np.exp(-2 * model.theta[: model.shape.count])[model.shape.owner]
    # d kernel / d point: -slope * (point - x) / length^2, (n, width)
    moved = -slope[0][:, None] * (point[None] - model.x) * inverse_squares
    solved = cho_solve((model.lower, True), kernel[0])
    variance = max(float(np.exp(model.theta[model.shape.count]) - kernel[0] @ solved), 1e-12)
    return model.mean + kernel[0] @ weights, variance, moved.T @ weights, -2 * (moved.T @ solved)


def holds(conditions: tuple[Posterior, ...], points: Array) -> Array:
    """For each point whether all conditions are more likely to hold than not."""
    return np.all([condition.predict(points)[0] > 0 for condition in conditions] + [np.ones(len(points), dtype=bool)], axis=0)


def incumbent(means: Array, feasible: Array) -> Array:
    """The value to improve on, for means (points, ...): the best of the points that satisfy all conditions; while none does, less than all.

    Then every improvement is large and about the same, and the conditions alone decide where to look.
    """
    return means[feasible].max(axis=0) if feasible.any() else means.min(axis=0) - 1.0
