"""Two metrics at once: the Pareto front, and the expected gain in the area that it dominates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.expected_improvement import chain_rule, log_h, log_h_slope, log_mean_exp
from trialflow.optimizer.gp import Ensemble

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
    """Log of the expected gain in dominated area over fronts, one for each of the c columns of the two `ensembles`.

    Both metrics are independent given the data, so that the gain is a sum over vertical strips between neighbours on the front, each a difference of
    expected improvements in the first metric times an expected improvement in the second. Yang et al. (2019), "Efficient computation of expected
    hypervolume improvement using box decomposition algorithms", section 3.

    `edges` and `floors` (c, s) are where strips begin in the first and in the second metric, and `counts` (c,) how many of them there are: the
    others are copies of the last one, which count for nothing.
    """

    ensembles: tuple[Ensemble, Ensemble]
    edges: Array
    floors: Array
    counts: Array

    @classmethod
    def over(cls, ensembles: tuple[Ensemble, Ensemble], fronts: Sequence[Array], references: Sequence[Array]) -> "HypervolumeImprovement":
        """The gain over `fronts`, one of points by rising first value for each column, above the column's one of `references` (2,)."""
        inside = [front[np.all(front > reference, axis=1)] for front, reference in zip(fronts, references, strict=True)]
        counts = np.array([len(front) + 1 for front in inside])
        strips = np.empty((2, len(inside), counts.max()))
        for column, (front, reference) in enumerate(zip(inside, references, strict=True)):
            edges, floors = np.append(reference[:1], front[:, 0]), np.append(front[:, 1], reference[1:])
            strips[:, column] = np.stack([edges, floors])[:, np.minimum(np.arange(counts.max()), len(front))]
        return cls(ensembles, strips[0], strips[1], counts)

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        (first, first_deviation), (second, second_deviation) = (one.predict(points) for one in self.ensembles)
        logs = _Improvement.over(self.edges, first, first_deviation).log, _Improvement.over(self.floors, second, second_deviation).log
        return self._gain(*logs)[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        (first, first_deviation, *first_slopes), (second, second_deviation, *second_slopes) = (one.slopes(points) for one in self.ensembles)
        beyond, up = _Improvement.over(self.edges, first, first_deviation), _Improvement.over(self.floors, second, second_deviation)
        value, share, ratio = self._gain(beyond.log, up.log)
        gradient = np.zeros(points.shape)
        for partial, slope in zip(beyond.partials(), first_slopes, strict=True):
            partial[:, :, :-1] = (partial[:, :, :-1] - ratio * partial[:, :, 1:]) / np.maximum(1 - ratio, LEAST_STRIP)
            gradient += chain_rule(np.sum(share * partial, axis=2), slope)
        for partial, slope in zip(up.partials(), second_slopes, strict=True):
            gradient += chain_rule(np.sum(share * partial, axis=2), slope)
        return value, gradient

    def _gain(self, beyond: Array, up: Array) -> tuple[Array, Array, Array]:
        """From both metrics' log improvements (m, c, s): the log gain (m,), each strip's share in it (m, c, s), and `ratio` (m, c, s - 1).

        The ratio is that of the improvement beyond a strip's right edge to the one beyond its left edge; nothing is beyond the last strip.
        """
        places = np.arange(self.edges.shape[1])
        ratio = np.exp(np.minimum(np.diff(beyond, axis=2), 0.0)) * (places[:-1] < self.counts[:, None] - 1)
        logs = beyond + up
        logs[:, :, :-1] += np.log(np.maximum(1 - ratio, LEAST_STRIP))
        logs[:, places >= self.counts[:, None]] = -np.inf
        value, share = log_mean_exp(logs.reshape(len(logs), -1))
        return value + np.log(len(places)), share.reshape(logs.shape), ratio


@dataclass(frozen=True)
class _Improvement:
    """Log expected improvements (m, c, s) over levels (c, s), of values with means and standard `deviation`s (m, c, 1)."""

    z: Array
    log_h: Array
    deviation: Array

    @classmethod
    def over(cls, levels: Array, mean: Array, deviation: Array) -> "_Improvement":
        z = (mean[:, :, None] - levels) / deviation[:, :, None]
        return cls(z, log_h(z), deviation[:, :, None])

    @property
    def log(self) -> Array:
        return self.log_h + np.log(self.deviation)

    def partials(self) -> tuple[Array, Array]:
        """The derivatives by mean and by deviation: (m, c, s) each."""
        slope = log_h_slope(self.z, self.log_h)
        return slope / self.deviation, (1 - self.z * slope) / self.deviation
