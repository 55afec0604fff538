"""Two metrics at once: the Pareto front, and the expected gain in the area that it dominates."""

from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.gp import Process
from trialflow.optimizer.improvement import log_h, log_h_slope, log_mean_exp

Array = np.ndarray
BEYOND = 0.1
LEAST_STRIP = 1e-12


def pareto_front(points: Array) -> Array:
    """Those of `points` (n, 2), larger being better, that no other one dominates, by rising first value."""
    if len(points) == 0:
        return points.reshape(0, 2)
    ordered = points[np.lexsort((-points[:, 1], -points[:, 0]))]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ordered[:, 1])[:-1]])
    return ordered[ordered[:, 1] > before][::-1]


def dominated_area(front: Array, reference: Array) -> float:
    """The area between `reference` (2,) and a front of points with rising first value."""
    inside = front[np.all(front > reference, axis=1)]
    widths = np.diff(np.concatenate([reference[:1], inside[:, 0]]))
    return float(np.sum(widths * (inside[:, 1] - reference[1])))


def reference_of(front: Array, known: tuple[float | None, float | None]) -> Array:
    """Where the dominated area starts: the given thresholds; where there is none a tenth of the front's extent below its worst."""
    if len(front) == 0:
        return np.array([0.0 if one is None else one for one in known])
    low = front.min(axis=0)
    extent = np.maximum(front.max(axis=0) - low, 0.5)
    return np.array([low[index] - BEYOND * extent[index] if one is None else one for index, one in enumerate(known)])


@dataclass(frozen=True)
class HypervolumeImprovement:
    """Log of the expected gain in dominated area over `fronts`, one for each world of the two `processes`.

    Both metrics are independent given the data, so that the gain is a sum over vertical strips between neighbours on the front, each a difference of
    expected improvements in the first metric times an expected improvement in the second. Yang et al. (2019), "Efficient computation of expected
    hypervolume improvement using box decomposition algorithms", section 3.
    """

    processes: tuple[Process, Process]
    fronts: tuple[Array, ...]
    reference: Array

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        parts = [process.predict(points) for process in self.processes]
        logs = [self._gain(world, parts, False)[0] for world in range(len(self.fronts))]
        return log_mean_exp(np.stack(logs, axis=1))[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        full = [process.slopes(points) for process in self.processes]
        gains = [self._gain(world, [one[:2] for one in full], True) for world in range(len(self.fronts))]
        value, share = log_mean_exp(np.stack([gain[0] for gain in gains], axis=1))
        gradient = np.zeros(points.shape)
        for world, (_, *partials) in enumerate(gains):
            for (_, _, mean_slope, deviation_slope), (by_mean, by_deviation) in zip(full, partials, strict=True):
                gradient += (share[:, world] * by_mean)[:, None] * mean_slope[:, :, world]
                gradient += (share[:, world] * by_deviation)[:, None] * deviation_slope
        return value, gradient

    def _gain(self, world: int, parts: list, with_slopes: bool) -> tuple:
        """Log gain (m,) in one world and, for each metric, its derivatives by mean and by deviation."""
        front = self.fronts[world]
        (first, first_deviation), (second, second_deviation) = [(mean[:, world], deviation) for mean, deviation in parts]
        edges, floors = np.concatenate([self.reference[:1], front[:, 0]]), np.concatenate([front[:, 1], self.reference[1:]])
        left, z_left = _log_improvement(first, first_deviation, edges)
        up, z_up = _log_improvement(second, second_deviation, floors)
        ratio = np.zeros_like(left)  # the improvement beyond the strip's right edge over that beyond its left one; nothing beyond the last strip
        ratio[:, :-1] = np.exp(np.minimum(left[:, 1:] - left[:, :-1], 0.0))
        rest = np.maximum(1 - ratio, LEAST_STRIP)
        logs = left + np.log(rest) + up
        total = np.logaddexp.reduce(logs, axis=1)
        if not with_slopes:
            return (total,)
        share = np.exp(logs - total[:, None])
        by_mean, by_deviation = _log_slopes(z_left, first_deviation)
        for partial in (by_mean, by_deviation):
            partial[:, :-1] = (partial[:, :-1] - ratio[:, :-1] * partial[:, 1:]) / rest[:, :-1]
        other_mean, other_deviation = _log_slopes(z_up, second_deviation)
        one = (np.sum(share * by_mean, axis=1), np.sum(share * by_deviation, axis=1))
        return total, one, (np.sum(share * other_mean, axis=1), np.sum(share * other_deviation, axis=1))


def _log_improvement(mean: Array, deviation: Array, above: Array) -> tuple[Array, Array]:
    z = (mean[:, None] - above) / deviation[:, None]
    return log_h(z) + np.log(deviation)[:, None], z


def _log_slopes(z: Array, deviation: Array) -> tuple[Array, Array]:
    slope = log_h_slope(z)
    return slope / deviation[:, None], (1 - z * slope) / deviation[:, None]
