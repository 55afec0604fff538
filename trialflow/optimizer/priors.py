"""A user's belief about where good values of a parameter lie: drawn from at the start, and a weight on the acquisition that fades with evidence."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from trialflow.optimizer.space import BetaPrior, NormalPrior, Parameter

Array = np.ndarray
EDGE = 1e-3
"""A beta density is not followed nearer to the bounds than this: it may be zero or infinite there."""
CONFIDENCE = 10.0
OPEN_MIND = 0.01
"""The share of the prior's highest density that every value keeps: a belief may be wrong."""
HIGHEST_AMONG = np.linspace(0.0, 1.0, 201)


def quantiles(one: Parameter, cube: Array) -> Array:
    """Even draws from [0, 1] as coordinates of the parameter that follow its prior, a normal one cut off at the bounds."""
    if one.prior is None or one.bounds is None:
        return cube
    if isinstance(one.prior, BetaPrior):
        return np.clip(betaincinv(one.prior.shape_a, one.prior.shape_b, cube), 0.0, 1.0)
    mean, scale = _normal(one, one.prior)
    low, high = ndtr(-mean / scale), ndtr((1 - mean) / scale)
    if high - low < 1e-12:  # the prior's mass is out of the bounds, which were moved since: the nearest end is all that is left of it
        return np.full_like(cube, np.clip(mean, 0.0, 1.0))
    return np.clip(mean + scale * ndtri(low + cube * (high - low)), 0.0, 1.0)


def log_density(one: Parameter, share: Array) -> tuple[Array, Array]:
    """Log density at coordinates of the parameter, 0 where it is highest and never below log OPEN_MIND, and its derivative."""
    highest = float(np.max(_log_density(one, HIGHEST_AMONG)[0]))
    logs, slope = _log_density(one, share)
    part = (1 - OPEN_MIND) * np.exp(np.minimum(logs - highest, 0.0))
    return np.log(part + OPEN_MIND), part / (part + OPEN_MIND) * slope


def _log_density(one: Parameter, share: Array) -> tuple[Array, Array]:
    if isinstance(one.prior, NormalPrior):
        mean, scale = _normal(one, one.prior)
        z = (share - mean) / scale
        return -0.5 * z**2, -z / scale
    assert one.prior is not None
    at = np.clip(share, EDGE, 1 - EDGE)
    a, b = one.prior.shape_a - 1, one.prior.shape_b - 1
    slope = np.where((share < EDGE) | (share > 1 - EDGE), 0.0, a / at - b / (1 - at))
    return a * np.log(at) + b * np.log1p(-at), slope


def _normal(one: Parameter, prior: NormalPrior) -> tuple[float, float]:
    """Mean and scale in units of the parameter's coordinate."""
    assert one.bounds is not None
    width = max(float(one.bounds[1]) - float(one.bounds[0]), 1e-300)
    return (prior.mean - float(one.bounds[0])) / width, max(prior.scale / width, 1e-6)


@dataclass(frozen=True)
class PriorTerm:
    """The log density of the priors of some coordinates, as a term of an acquisition.

    Its weight is CONFIDENCE over the number of observations. Hvarfner et al. (2022), "piBO: augmenting acquisition functions with user beliefs".
    """

    parameters: tuple[tuple[int, Parameter], ...]
    weight: float

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        return self.slopes(points)[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        value, gradient = np.zeros(len(points)), np.zeros(points.shape)
        for column, one in self.parameters:
            logs, slope = log_density(one, points[:, column])
            value += self.weight * logs
            gradient[:, column] = self.weight * slope
        return value, gradient
