"""From observations to fitted processes: one for a metric, one for the chance of success."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.gp import GaussianProcess
from trialflow.optimizer.history import Metric, Observation
from trialflow.optimizer.learning import learn, plausible, refit_at
from trialflow.optimizer.targets import Warp

Array = np.ndarray
MOST_LEARNED_FROM = 200
LABEL_NOISE = 0.05
FARTHEST = 30.0
MOST_FOR_OTHERS = 100
"""With more observations the most probable hyperparameters are about the only ones."""


@dataclass(frozen=True)
class History:
    """Observations with their points as rows of `encoder`. With `with_costs`, task costs are one more coordinate, zero at full cost."""

    encoder: Encoder
    observations: Sequence[Observation]
    with_costs: bool = False

    @cached_property
    def _recognised(self) -> tuple[Array, Array]:
        return self.encoder.recognise([one.assignments for one in self.observations])

    @cached_property
    def rows(self) -> Array:
        """The points: (n, width), or (n, width + 1) with costs."""
        rows = self._recognised[0]
        return np.concatenate([rows, cost_coordinate(self.costs)[:, None]], axis=1) if self.with_costs else rows

    @property
    def known(self) -> Array:
        """The rows of observations that are points of this space exactly as it is now."""
        rows, exact = self._recognised
        return rows[exact & (self.costs >= 1.0)]

    @cached_property
    def costs(self) -> Array:
        """Task costs: (n,)."""
        return np.array([one.task_cost for one in self.observations], dtype=float)

    @cached_property
    def failed(self) -> Array:
        """For each observation whether it failed."""
        return np.array([one.failed for one in self.observations], dtype=bool)

    @cached_property
    def owner(self) -> Array:
        """For each coordinate of `rows` the number of its dimension."""
        owner = self.encoder.owner
        return np.append(owner, owner.max() + 1) if self.with_costs else owner

    def values(self, metric: Metric) -> tuple[Array, Array]:
        """The metric's values and their standard deviations (n,): nan where there is none."""
        pairs = [(np.nan, np.nan)] * len(self.observations)
        for index, one in enumerate(self.observations):
            value = None if one.failed else one.values.get(metric.name)
            if value is not None and np.isfinite(value.value):
                pairs[index] = (value.value, np.nan if value.stddev is None or not np.isfinite(value.stddev) else value.stddev)
        values, deviations = np.array(pairs, dtype=float).reshape(-1, 2).T
        return values, deviations

    def measured(self, metrics: Sequence[Metric]) -> Array:
        """For each observation whether it has a value of all of these metrics."""
        return np.all([np.isfinite(self.values(metric)[0]) for metric in metrics] + [np.ones(len(self.observations), dtype=bool)], axis=0)


@dataclass(frozen=True)
class Fitted:
    """A metric's process, larger being better, and the way between its values and the process's targets.

    `others` are processes with hyperparameters that are about as plausible: few observations leave much open.
    """

    metric: Metric
    warp: Warp
    process: GaussianProcess
    others: tuple[GaussianProcess, ...] = ()

    @property
    def members(self) -> tuple[GaussianProcess, ...]:
        """The process and the others."""
        return (self.process, *self.others)

    @property
    def threshold(self) -> float | None:
        """The metric's threshold as a target, or as far from the targets as numbers allow."""
        return None if self.metric.threshold is None else float(np.clip(self.warp(np.array([self.metric.threshold]))[0], -FARTHEST, FARTHEST))


def fit(history: History, metric: Metric, most: int, beside: Sequence[Metric] = (), members: int = 0) -> Fitted | None:
    """A process over a metric from at most `most` observations that have it; None if fewer than two do. Raises LinAlgError if none can be had.

    Metrics that are optimized together are fitted `beside` each other: from the same observations, those that have all of them. `members` is how many
    other sets of hyperparameters are asked for.
    """
    values, deviations = history.values(metric)
    have = np.flatnonzero(history.measured([metric, *beside]))
    if len(have) < 2:
        return None
    sign = -1.0 if metric.objective == "minimize" else 1.0
    early = have[: refit_at(len(have))][-MOST_LEARNED_FROM:]
    warp = Warp.of(values[early], sign)
    targets, variances = warp(values[early]), warp.variances(values[early], deviations[early])
    theta = learn(history.owner, history.rows[early], targets, variances)
    is_open = members and len(have) <= MOST_FOR_OTHERS
    draws = plausible(history.owner, history.rows[early], targets, variances, members) if is_open else ()
    chosen = have[_subset(_interest(history, beside or (metric,), have), most)] if len(have) > most else have
    warp = Warp.of(values[chosen], sign)
    data = (history.owner, history.rows[chosen], warp(values[chosen]), warp.variances(values[chosen], deviations[chosen]))
    return Fitted(metric, warp, GaussianProcess.of(*data, theta), tuple(GaussianProcess.of(*data, draw) for draw in draws))


def fit_success(history: History, most: int) -> GaussianProcess | None:
    """A process over +1 for success and -1 for failure; None while nothing has failed. Raises LinAlgError if none can be had."""
    if not history.failed.any():
        return None
    labels = np.where(history.failed, -1.0, 1.0)
    early = slice(max(0, refit_at(len(labels)) - MOST_LEARNED_FROM), refit_at(len(labels)))
    theta = learn(history.owner, history.rows[early], labels[early], np.full(len(labels[early]), LABEL_NOISE))
    # What there is less of says more: all failures as long as they are the smaller part, and the latest ones of each.
    chosen = np.sort(np.concatenate([np.flatnonzero(history.failed)[-most // 2 :], np.flatnonzero(~history.failed)[-most // 2 :]]))
    return GaussianProcess.of(history.owner, history.rows[chosen], labels[chosen], np.full(len(chosen), LABEL_NOISE), theta)


def cost_coordinate(costs: Array) -> Array:
    """Where tasks of these costs lie beside the full one, which is at 0: cheap ones far, in logarithms."""
    return -0.5 * np.log10(np.clip(costs, 1e-6, 1.0))


def _interest(history: History, metrics: Sequence[Metric], have: Array) -> Array:
    """How much it matters to know each of the observations `have`: the best of a metric, those near to a threshold, the best of several by any."""
    ranks = []
    for metric in metrics:
        values = history.values(metric)[0][have]
        if metric.strategy == "constraint" and metric.threshold is not None:
            values = -np.abs(values - metric.threshold)
        elif metric.objective == "minimize":
            values = -values
        ranks.append(np.argsort(np.argsort(values, kind="stable"), kind="stable"))
    return np.max([*ranks, np.mean(ranks, axis=0)], axis=0)


def _subset(interest: Array, most: int) -> Array:
    """Which observations a model sees, in order: the half of greatest interest and the latest half of what fits."""
    best = np.argsort(-interest, kind="stable")[: most // 2]
    return np.unique(np.concatenate([best, np.arange(len(interest) - most // 2, len(interest))]))
