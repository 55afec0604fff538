"""Fitting: a process for each metric, and one for the probability of success."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.gp import GaussianProcess
from trialflow.optimizer.hyperparameters import count_to_fit, most_probable, posterior_draws
from trialflow.optimizer.observations import Dataset, Metric
from trialflow.optimizer.warping import OutputWarp

Array = np.ndarray
MOST_LEARNED_FROM = 200
LABEL_NOISE = 0.05
FARTHEST = 30.0
MOST_FOR_OTHERS = 100
"""With more observations the most probable hyperparameters are about the only ones."""


@dataclass(frozen=True)
class MetricModel:
    """A metric's process, larger being better, and the way between its values and the process's targets.

    `others` are processes with hyperparameters that are about as plausible: few observations leave much open.
    """

    metric: Metric
    warp: OutputWarp
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


def fit(dataset: Dataset, metric: Metric, most: int, beside: Sequence[Metric] = (), members: int = 0) -> MetricModel | None:
    """A process over a metric from at most `most` observations that have it; None if fewer than two do. Raises LinAlgError if it cannot be fitted.

    Metrics that are optimized together are fitted `beside` each other: from the same observations, those that have all of them. `members` is how many
    other sets of hyperparameters are asked for.
    """
    values, deviations = dataset.values(metric)
    have = np.flatnonzero(dataset.measured([metric, *beside]))
    if len(have) < 2:
        return None
    sign = -1.0 if metric.objective == "minimize" else 1.0
    early = have[: count_to_fit(len(have))][-MOST_LEARNED_FROM:]
    warp = OutputWarp.of(values[early], sign)
    targets, variances = warp(values[early]), warp.variances(values[early], deviations[early])
    theta = most_probable(dataset.owner, dataset.rows[early], targets, variances)
    is_open = members and len(have) <= MOST_FOR_OTHERS
    draws = posterior_draws(dataset.owner, dataset.rows[early], targets, variances, members) if is_open else ()
    chosen = have[_subset(_interest(dataset, beside or (metric,), have), most)] if len(have) > most else have
    warp = OutputWarp.of(values[chosen], sign)
    data = (dataset.owner, dataset.rows[chosen], warp(values[chosen]), warp.variances(values[chosen], deviations[chosen]))
    return MetricModel(metric, warp, GaussianProcess.of(*data, theta), tuple(GaussianProcess.of(*data, draw) for draw in draws))


def fit_success(dataset: Dataset, most: int) -> GaussianProcess | None:
    """A process over +1 for success and -1 for failure; None while nothing has failed. Raises LinAlgError if it cannot be fitted."""
    if not dataset.failed.any():
        return None
    labels = np.where(dataset.failed, -1.0, 1.0)
    early = slice(max(0, count_to_fit(len(labels)) - MOST_LEARNED_FROM), count_to_fit(len(labels)))
    theta = most_probable(dataset.owner, dataset.rows[early], labels[early], np.full(len(labels[early]), LABEL_NOISE))
    # What there is less of says more: all failures as long as they are the smaller part, and the latest ones of each.
    chosen = np.sort(np.concatenate([np.flatnonzero(dataset.failed)[-most // 2 :], np.flatnonzero(~dataset.failed)[-most // 2 :]]))
    return GaussianProcess.of(dataset.owner, dataset.rows[chosen], labels[chosen], np.full(len(chosen), LABEL_NOISE), theta)


def _interest(dataset: Dataset, metrics: Sequence[Metric], have: Array) -> Array:
    """How much it matters to know each of the observations `have`: the best of a metric, those near to a threshold, the best of several by any."""
    ranks = []
    for metric in metrics:
        values = dataset.values(metric)[0][have]
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
