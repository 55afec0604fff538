"""Which models an experiment needs and how they are put together: one metric, two, constraints only, several solutions, tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.acquisition import Acquisition, Term, improvement_term, probably_feasible
from trialflow.optimizer.constraint_active_search import expected_coverage_improvement
from trialflow.optimizer.design import Sampler
from trialflow.optimizer.expected_improvement import Feasibility
from trialflow.optimizer.gp import Ensemble
from trialflow.optimizer.maximization import maximize
from trialflow.optimizer.model import MetricModel, fit, fit_success
from trialflow.optimizer.multitask import most_informative_cost
from trialflow.optimizer.observations import Dataset, Metric
from trialflow.optimizer.priors import CONFIDENCE, PriorTerm
from trialflow.optimizer.solutions import VoronoiCell, far_apart

Array = np.ndarray
MOST_MODELLED = {1: 1000, 2: 700}
MOST_OF_MANY = 400
"""Observations that a process is made from, by the number of processes; beyond it takes too long, and the best and the latest ones are taken."""
MOST_FAILED = 200
"""Failures that a metric's process is told of, the latest ones."""
DOUBT_OF_SUCCESS = 0.1
INCUMBENTS = 5
MEMBERS = 4
"""How many other sets of hyperparameters are asked beside the most probable one, while there are few observations."""


@dataclass(frozen=True)
class Candidates:
    """Rows to try, best first, the method that found them, and the cost of the task to try the first one with."""

    rows: Array
    method: str
    task_cost: float = 1.0


def optimized_of(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics to optimize."""
    return [one for one in metrics if one.strategy == "optimize"]


def model_candidates(
    sampler: Sampler,
    metrics: Sequence[Metric],
    dataset: Dataset,
    pending: Array,
    rng: np.random.Generator,
    *,
    num_solutions: int = 1,
    budget: float | None = None,
    task_costs: Sequence[float] = (),
) -> Candidates:
    """What the models suggest, given `pending` rows. Raises LinAlgError or another numerical error if they cannot be fitted."""
    optimized, conditions = _fitted(dataset, metrics)
    if not optimized:
        return Candidates(expected_coverage_improvement(conditions, sampler, dataset.rows, pending, rng), "coverage")
    points, means = _known(optimized, sampler)
    within: Term | None = None
    if num_solutions > 1:
        within, points, means = _cell(points, means, probably_feasible(conditions, points), num_solutions, len(dataset.observations) + len(pending))
    failed = dataset.rows[dataset.failed][-MOST_FAILED:, : sampler.encoder.width]
    terms: list[Term] = [
        improvement_term(optimized, conditions, pending, failed, rng, within),
        *conditions,
        *_priors(sampler, len(dataset.observations)),
    ]
    rows = maximize(Acquisition(tuple(terms + ([within] if within is not None else []))), sampler, _incumbents(points, means, conditions), rng)
    if not task_costs:
        return Candidates(rows, "gp")
    spent = float(np.sum(dataset.costs)) + len(pending)
    return Candidates(rows, "gp", most_informative_cost(optimized[0].process, rows[0], task_costs, spent, budget))


def _fitted(dataset: Dataset, metrics: Sequence[Metric]) -> tuple[list[MetricModel], list[Term]]:
    """The processes of optimized metrics, and the conditions: constraints, thresholds of optimized metrics are not among them, and success."""
    optimized, constraints = optimized_of(metrics), [one for one in metrics if one.strategy == "constraint"]
    most = MOST_MODELLED.get(len(optimized) + len(constraints) + bool(dataset.failed.any()), MOST_OF_MANY)
    fitted = [one for metric in optimized if (one := fit(dataset, metric, most, optimized, MEMBERS)) is not None]
    if len(fitted) < len(optimized):
        raise ValueError("too few values of a metric to optimize")
    found = [fit(dataset, metric, most, members=MEMBERS) for metric in constraints]
    conditions: list[Term] = [Feasibility(Ensemble(one.members), one.threshold) for one in found if one is not None and one.threshold is not None]
    success = probability_of_success(dataset, most)
    return fitted, conditions + ([success] if success is not None else [])


def probability_of_success(dataset: Dataset, most: int) -> Feasibility | None:
    """The chance that a training run does not fail, from `most` observations at most; None while nothing has failed."""
    success = fit_success(dataset, most)
    return Feasibility(Ensemble((success,)), 0.0, DOUBT_OF_SUCCESS) if success is not None else None


def _known(optimized: Sequence[MetricModel], sampler: Sampler) -> tuple[Array, Array]:
    """The first process's points, without task costs, and how good each is: its mean, or with two metrics its place among the layers of fronts."""
    width = sampler.encoder.width
    points = optimized[0].process.x[:, :width]
    if len(optimized) == 1:
        return points, optimized[0].process.means[:, 0]
    first, second = (one.process.predict(points)[0][:, 0] for one in optimized)
    better = (first[None] >= first[:, None]) & (second[None] >= second[:, None])
    return points, -np.sum(better, axis=1).astype(float)


def _incumbents(points: Array, means: Array, conditions: Sequence[Term]) -> Array:
    """The points around which to search: the best of those that satisfy the conditions; while none does, of those that may soonest."""
    good = probably_feasible(conditions, points)
    if good.any():
        means = np.where(good, means, -np.inf)
    elif conditions:
        means = sum((condition.value(points) for condition in conditions), np.zeros(len(points)))
    order = np.argsort(-means, kind="stable")[:INCUMBENTS]
    return points[order[(means[order] > -np.inf) | (np.arange(len(order)) == 0)]]


def _cell(points: Array, means: Array, good: Array, num_solutions: int, number: int) -> tuple[Term | None, Array, Array]:
    """The Voronoi cell that suggestion `number` improves, and the points in it."""
    pool = np.flatnonzero(good) if good.any() else np.arange(len(points))
    centres = points[pool][far_apart(points[pool], means[pool], num_solutions)]
    if len(centres) < 2:
        return None, points, means
    turn = number % len(centres)
    within = VoronoiCell(centres[turn], np.delete(centres, turn, axis=0))
    mine = within.value(points) >= 0
    return within, points[mine], means[mine]


def _priors(sampler: Sampler, observed: int) -> list[Term]:
    encoder = sampler.encoder
    named = [(part.start, one) for one, part in zip(encoder.space.dimensions, encoder.columns, strict=True) if one.prior is not None]
    return [PriorTerm(tuple(named), CONFIDENCE / max(observed, 1))] if named else []
