"""Experiments with constraint metrics only: as many different points as possible that satisfy all of them."""

from collections.abc import Sequence

import numpy as np

from trialflow.optimizer.acquisition import Term, probably_feasible
from trialflow.optimizer.design import Sampler

Array = np.ndarray
CANDIDATES, SHORT_LIST, NEIGHBOURS = 512, 96, 32


def expected_coverage_improvement(conditions: Sequence[Term], sampler: Sampler, known: Array, pending: Array, rng: np.random.Generator) -> Array:
    """Rows to try, best first: those around which most of what likely satisfies all conditions is not yet near to a point that does.

    `known` and `pending` are rows. Malkomes et al. (2021), "Beyond the Pareto efficient frontier: constraint active search for multiobjective
    experimental design": expected coverage improvement, with a radius that shrinks as the known good points grow in number.
    """
    candidates = sampler.every if sampler.every is not None else sampler.random(CANDIDATES, rng)
    log_probabilities = _log_probability(conditions, candidates)
    listed = np.argsort(-log_probabilities, kind="stable")[: max(SHORT_LIST, 1)]
    good = np.concatenate([known[probably_feasible(conditions, known)], pending])
    radius = _radius(sampler, len(good), rng)
    around = candidates[listed][:, None] + radius * _ball(NEIGHBOURS, candidates.shape[1], rng)
    nearby = np.clip(around, 0.0, 1.0).reshape(-1, candidates.shape[1])
    fresh = np.ones(len(nearby)) if len(good) == 0 else (_distance(nearby, good) > radius).astype(float)
    gains = (np.exp(_log_probability(conditions, nearby)) * fresh).reshape(len(listed), -1).mean(axis=1)
    own = 1.0 if len(good) == 0 else np.minimum(_distance(candidates[listed], good) / radius, 1.0)
    # A point that cannot satisfy the conditions itself covers nothing, however good its neighbourhood is.
    order = listed[np.argsort(-(np.exp(log_probabilities[listed]) * (gains + 0.01 * own)), kind="stable")]
    return np.concatenate([candidates[order], candidates[np.setdiff1d(np.argsort(-log_probabilities), listed, assume_unique=True)]])


def _log_probability(conditions: Sequence[Term], points: Array) -> Array:
    return sum((condition.value(points) for condition in conditions), np.zeros(len(points)))


def _radius(sampler: Sampler, good: int, rng: np.random.Generator) -> float:
    """Half of how far apart so many points would be if they were spread over the whole space."""
    sample = sampler.random(64, rng)
    typical = float(np.median(np.linalg.norm(sample[:32] - sample[32:], axis=1)))
    return max(0.5 * typical * (good + 4.0) ** (-1.0 / sampler.count), 1e-3)


def _ball(count: int, width: int, rng: np.random.Generator) -> Array:
    way = rng.standard_normal((count, width))
    return way / np.linalg.norm(way, axis=1, keepdims=True) * rng.random((count, 1)) ** (1.0 / width)


def _distance(points: Array, others: Array) -> Array:
    squares = np.sum(points**2, axis=1)[:, None] - 2 * points @ others.T + np.sum(others**2, axis=1)
    return np.sqrt(np.maximum(squares.min(axis=1), 0.0))
