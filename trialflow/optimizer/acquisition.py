"""How good a point would be to try: terms that are added up, seen through what the pending points may give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trialflow.optimizer.ensemble import Ensemble
from trialflow.optimizer.gp import GaussianProcess
from trialflow.optimizer.hypervolume import HypervolumeImprovement, pareto_front, reference_of
from trialflow.optimizer.improvement import ExpectedImprovement
from trialflow.optimizer.model import Fitted

Array = np.ndarray
WORLDS = 16
WORLDS_OF_TWO = 8
WORLDS_OF_MANY = 4
"""So often it is drawn what pending points may give: for one process, for each of two metrics, for each of several sets of hyperparameters."""
SEEN, BELIEVED = 1e-6, 0.3
"""The variance of what a pending point is taken to give, and of what a failed one is, as shares of the function's own."""
EVEN = float(np.log(0.5))


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


def improvement(
    optimized: Sequence[Fitted], conditions: Sequence[Term], pending: Array, failed: Array, rng: np.random.Generator, within: Term | None = None
) -> Term:
    """Expected improvement of one metric, or of the front of two, over what is known and over what `pending` (p, width) may give.

    Only points at which the `conditions` are likely to hold can be the best so far, and only ones for which `within` is zero; those that `failed`
    (f, width) cannot.
    """
    points = np.concatenate([optimized[0].process.x[:, : pending.shape[1]], pending, failed])
    good = likely(conditions, points) & (np.arange(len(points)) < len(points) - len(failed))
    if len(optimized) == 1 and within is not None and np.any(inside := good & (within.value(points) >= 0)):
        good = inside
    sets = list(zip(*(one.members for one in optimized), strict=True))
    worlds = 1 if len(pending) == 0 else WORLDS_OF_MANY if len(sets) > 1 else WORLDS if len(optimized) == 1 else WORLDS_OF_TWO
    seen = [[seeing(process, pending, worlds, rng, failed) for process in processes] for processes in sets]
    ensembles = [Ensemble(members) for members in zip(*seen, strict=True)]
    means = [one.known(pending.shape[1]) for one in ensembles]
    if len(optimized) == 1:
        # While nothing satisfies the conditions every improvement is made large and about the same, so that they alone decide where to look.
        best = means[0][good].max(axis=0) if good.any() else means[0].min(axis=0) - 1.0
        return ExpectedImprovement(ensembles[0], best)
    columns = np.stack(means, axis=2).swapaxes(0, 1)
    fronts = [pareto_front(column[good]) for column in columns]
    firsts = [index - index % ensembles[0].worlds for index in range(len(columns))]
    thresholds = (optimized[0].threshold, optimized[1].threshold)
    references = [reference_of(fronts[first] if good.any() else columns[first], thresholds) for first in firsts]
    return HypervolumeImprovement.over((ensembles[0], ensembles[1]), fronts, references)


def seeing(process: GaussianProcess, pending: Array, worlds: int, rng: np.random.Generator, failed: Array | None = None) -> GaussianProcess:
    """The process in several worlds, each with its own joint, antithetic sample of what the pending points give.

    Points that `failed` come last. They gave no value, and the process would stay as uncertain about them as about what was never tried; once the
    rest is well known, this alone would draw the search to where training runs fail. So they are taken to have given about what was expected of them.
    """
    failed = pending[:0] if failed is None else failed
    if len(pending) + len(failed) == 0:
        return process
    half = rng.standard_normal((len(pending), worlds // 2))
    draws = np.concatenate([half, -half], axis=1) if len(pending) else np.zeros((0, worlds))
    draws = np.concatenate([draws, np.zeros((len(failed), draws.shape[1]))])
    shares = np.concatenate([np.full(len(pending), SEEN), np.full(len(failed), BELIEVED)])
    return process.given(np.concatenate([pending, failed]), draws, shares)


def likely(conditions: Sequence[Term], points: Array) -> Array:
    """For each point whether every condition more likely holds than not."""
    return np.all([condition.value(points) >= EVEN for condition in conditions] + [np.ones(len(points), dtype=bool)], axis=0)
