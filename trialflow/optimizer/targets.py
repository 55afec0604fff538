"""Measured values made fit for a Gaussian process: larger is better, centre and scale robust, the bad tail compressed, near to normal."""

import numpy as np

Array = np.ndarray
TAIL = 4.0
"""Robust standard deviations below the median beyond which values count by their logarithm."""
FEWEST_FOR_WARPING = 8
POWERS = np.linspace(-1.0, 3.0, 41)


def transformed(values: Array) -> tuple[Array, float]:
    """`values` (larger is better) standardised, and the scale: how much one unit of the result is in the values' own units, about the median."""
    median = float(np.median(values))
    spread = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349
    if spread <= 1e-12 * max(1.0, abs(median)):
        spread = float(np.std(values))
    if spread <= 1e-12 * max(1.0, abs(median)):
        return np.zeros_like(values), 1.0
    scaled = (values - median) / spread
    low = scaled < -TAIL
    scaled[low] = -TAIL - np.log1p(-TAIL - scaled[low])
    if len(scaled) >= FEWEST_FOR_WARPING:
        scaled = _yeo_johnson(scaled, _best_lambda(scaled))
    centre, width = float(np.mean(scaled)), float(np.std(scaled))
    return (scaled - centre) / max(width, 1e-9), spread * max(width, 1e-9)


def _yeo_johnson(values: Array, power: float) -> Array:
    """Yeo and Johnson (2000), "A new family of power transformations to improve normality or symmetry"."""
    result = np.empty_like(values)
    up = values >= 0
    result[up] = np.log1p(values[up]) if abs(power) < 1e-9 else ((values[up] + 1) ** power - 1) / power
    other = 2 - power
    result[~up] = -np.log1p(-values[~up]) if abs(other) < 1e-9 else -((1 - values[~up]) ** other - 1) / other
    return result


def _best_lambda(values: Array) -> float:
    def cost(power: float) -> float:
        variance = max(float(np.var(_yeo_johnson(values, power))), 1e-12)
        return 0.5 * len(values) * np.log(variance) - (power - 1) * float(np.sum(np.sign(values) * np.log1p(np.abs(values))))

    return float(min(POWERS, key=cost))
