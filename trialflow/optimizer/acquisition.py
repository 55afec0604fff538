"""The acquisition function: a sum of log terms, averaged over fantasies of what the pending points may give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trialflow.optimizer.expected_improvement import ExpectedImprovement
from trialflow.optimizer.gp import Ensemble, GaussianProcess
from trialflow.optimizer.hypervolume import HypervolumeImprovement, pareto_front, reference_of
from trialflow.optimizer.model import MetricModel

Array = np.ndarray
FANTASIES = 16
FANTASIES_OF_TWO = 8
FANTASIES_OF_MANY = 4
"""How many fantasies of the pending points are drawn: for one process, for each of two metrics, for each of several sets of hyperparameters."""
PENDING_NOISE, FAILED_NOISE = 1e-6, 0.3
"""The noise variance of a pending point's fantasy, and of the value imputed to a failed point, as shares of the signal variance."""
LOG_HALF = float(np.log(0.5))


class Term(Protocol):
    """One part of an acquisition, in logarithms."""

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        ...

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        ...


@dataclass(frozen=True)
class Acquisition:
    """The sum of its terms."""

    terms: tuple[Term, ...]

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        return sum((term.value(points) for term in self.terms), np.zeros(len(points)))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        value, gradient = np.zeros(len(points)), np.zeros(points.shape)
        for term in self.terms:
            more, slope = term.slopes(points)
            value, gradient = value + more, gradient + slope
        return value, gradient


def improvement_term(
    optimized: Sequence[MetricModel], conditions: Sequence[Term], pending: Array, failed: Array, rng: np.random.Generator, within: Term | None = None
) -> Term:
    """Expected improvement of one metric, or of the front of two, over what is known and over what `pending` (p, width) may give.

    Only points at which the `conditions` probably hold can be the best so far, and only ones for which `within` is zero; those that `failed`
    (f, width) cannot.
    """
    points = np.concatenate([optimized[0].process.x[:, : pending.shape[1]], pending, failed])
    good = probably_feasible(conditions, points) & (np.arange(len(points)) < len(points) - len(failed))
    if len(optimized) == 1 and within is not None and np.any(inside := good & (within.value(points) >= 0)):
        good = inside
    sets = list(zip(*(one.members for one in optimized), strict=True))
    fantasies = 1 if len(pending) == 0 else FANTASIES_OF_MANY if len(sets) > 1 else FANTASIES if len(optimized) == 1 else FANTASIES_OF_TWO
    seen = [[fantasize(process, pending, fantasies, rng, failed) for process in processes] for processes in sets]
    ensembles = [Ensemble(members) for members in zip(*seen, strict=True)]
    means = [one.known(pending.shape[1]) for one in ensembles]
    if len(optimized) == 1:
        # While nothing satisfies the conditions every improvement is made large and about the same, so that they alone decide where to look.
        best = means[0][good].max(axis=0) if good.any() else means[0].min(axis=0) - 1.0
        return ExpectedImprovement(ensembles[0], best)
    columns = np.stack(means, axis=2).swapaxes(0, 1)
    fronts = [pareto_front(column[good]) for column in columns]
    firsts = [index - index % ensembles[0].fantasies for index in range(len(columns))]
    thresholds = (optimized[0].threshold, optimized[1].threshold)
    references = [reference_of(fronts[first] if good.any() else columns[first], thresholds) for first in firsts]
    return HypervolumeImprovement.over((ensembles[0], ensembles[1]), fronts, references)


def fantasize(process: GaussianProcess, pending: Array, fantasies: int, rng: np.random.Generator, failed: Array | None = None) -> GaussianProcess:
    """The process conditioned on several fantasies: joint, antithetic samples of what the pending points may give.

    Points that `failed` come last. They gave no value, so the process would stay as uncertain about them as about points never tried. Once the rest
    is well known, that uncertainty alone would draw the search to where training runs fail. So each gets its expected value, with a large variance.
    """
    failed = pending[:0] if failed is None else failed
    if len(pending) + len(failed) == 0:
        return process
    half = rng.standard_normal((len(pending), fantasies // 2))
    draws = np.concatenate([half, -half], axis=1) if len(pending) else np.zeros((0, fantasies))
    draws = np.concatenate([draws, np.zeros((len(failed), draws.shape[1]))])
    shares = np.concatenate([np.full(len(pending), PENDING_NOISE), np.full(len(failed), FAILED_NOISE)])
    return process.condition_on(np.concatenate([pending, failed]), draws, shares)


def probably_feasible(conditions: Sequence[Term], points: Array) -> Array:
    """For each point whether every condition more likely holds than not."""
    return np.all([condition.value(points) >= LOG_HALF for condition in conditions] + [np.ones(len(points), dtype=bool)], axis=0)
