"""Output warping: metric values become targets for a Gaussian process. Larger is better, centre and scale are robust, the bad tail is compressed."""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
TAIL = 4.0
"""Robust standard deviations below the median beyond which values count by their logarithm."""
FEWEST_FOR_WARPING = 8
POWERS = np.linspace(-1.0, 3.0, 41)


@dataclass(frozen=True)
class OutputWarp:
    """A monotone way from a metric's values to targets of mean 0 and variance 1, larger being better, and back. `sign` is -1 for a minimized one."""

    sign: float
    median: float
    spread: float
    power: float | None
    centre: float
    width: float

    @classmethod
    def of(cls, values: Array, sign: float = 1.0) -> "OutputWarp":
        """The warp that fits finite `values` (n,), n at least 1."""
        values = sign * values
        median = float(np.median(values))
        spread = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349
        least = 1e-12 * max(float(np.max(np.abs(values))), 1e-290)
        if spread <= least:
            spread = float(np.max(np.abs(values - median))) / 2
        if spread <= least or not np.isfinite(spread):
            return cls(sign, median, max(1.0, abs(median)), None, 0.0, 1.0)
        scaled = _compressed((values - median) / spread)
        power = _best_lambda(scaled) if len(scaled) >= FEWEST_FOR_WARPING else None
        if power is not None:
            scaled = _yeo_johnson(scaled, power)
        return cls(sign, median, spread, power, float(np.mean(scaled)), max(float(np.std(scaled)), 1e-9))

    def __call__(self, values: Array) -> Array:
        """The targets of values."""
        scaled = _compressed((self.sign * np.asarray(values, dtype=float) - self.median) / self.spread)
        if self.power is not None:
            scaled = _yeo_johnson(scaled, self.power)
        return (scaled - self.centre) / self.width

    def inverse(self, targets: Array) -> Array:
        """The values of targets; beyond what a bounded warp can reach, the last value that it does."""
        scaled = np.asarray(targets, dtype=float) * self.width + self.centre
        if self.power is not None:
            scaled = _yeo_johnson_inverse(scaled, self.power)
        scaled = np.where(scaled < -TAIL, -TAIL - np.expm1(np.minimum(-TAIL - scaled, 600.0)), scaled)
        return self.sign * (scaled * self.spread + self.median)

    def variances(self, values: Array, deviations: Array) -> Array:
        """Variances of targets from standard deviations of their values; nan stays nan."""
        step = np.where(np.isnan(deviations), 0.0, deviations)
        half = np.abs(self(values + step) - self(values - step)) / 2
        return np.where(np.isnan(deviations), np.nan, np.clip(half, 1e-5, 1e3) ** 2)


def _compressed(scaled: Array) -> Array:
    low = np.minimum(scaled, -TAIL)
    return np.where(scaled < -TAIL, -TAIL - np.log1p(-TAIL - low), scaled)


def _yeo_johnson(values: Array, power: float | Array) -> Array:
    """Values (n,) after one power: (n,), or after each of several (k, 1): (k, n).

    Yeo and Johnson (2000), "A new family of power transformations to improve normality or symmetry".
    """
    up, down = np.log1p(np.maximum(values, 0.0)), np.log1p(np.maximum(-values, 0.0))
    return np.where(values >= 0, _raised(up, power), -_raised(down, 2 - power))


def _raised(logs: Array, power: float | Array) -> Array:
    """(exp(logs)^power - 1) / power, and its limit at 0."""
    is_zero = np.abs(power) < 1e-9
    return np.where(is_zero, logs, np.expm1(power * logs) / np.where(is_zero, 1.0, power))


def _yeo_johnson_inverse(values: Array, power: float) -> Array:
    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    return np.where(values >= 0, np.expm1(_lowered(up, power)), -np.expm1(_lowered(down, 2 - power)))


def _lowered(raised: Array, power: float) -> Array:
    """The logs that `_raised` made `raised` of."""
    return raised if abs(power) < 1e-9 else np.log1p(np.maximum(power * raised, -1 + 1e-12)) / power


def _best_lambda(values: Array) -> float:
    jacobian = float(np.sum(np.sign(values) * np.log1p(np.abs(values))))
    variances = np.maximum(np.var(_yeo_johnson(values, POWERS[:, None]), axis=1), 1e-12)
    return float(POWERS[np.argmin(0.5 * len(values) * np.log(variances) - (POWERS - 1) * jacobian)])
