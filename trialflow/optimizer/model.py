"""From observations to fitted processes: one for a metric, one for the chance of success."""

from collections.abc import Sequence

import numpy as np

from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.gp import Posterior, Shape, learn, refit_at
from trialflow.optimizer.history import Metric, Observation
from trialflow.optimizer.targets import transformed

Array = np.ndarray
MOST_MODELLED = 400
"""Observations that a model is made from; beyond it takes too long, and the best and the latest ones are taken."""
MOST_LEARNED_FROM = 200
LABEL_NOISE = 0.05


def metric_model(encoder: Encoder, metric: Metric, good: Sequence[Observation]) -> Posterior:
    """A process over a metric, larger is better, from observations that all have it. Raises LinAlgError if none can be had."""
    sign = -1.0 if metric.objective == "minimize" else 1.0
    values = np.array([sign * one.values[metric.name].value for one in good])
    deviations = np.array([np.nan if (one := seen.values[metric.name].stddev) is None else one for seen in good], dtype=float)
    shape = Shape(encoder.owner)
    early = np.arange(refit_at(len(good)))[-MOST_LEARNED_FROM:]
    theta = learn(shape, encoder.encode(good[index].assignments for index in early), *_targets(values[early], deviations[early]))
    chosen = _subset(values)
    return Posterior(shape, encoder.encode(good[index].assignments for index in chosen), *_targets(values[chosen], deviations[chosen]), theta)


def _targets(values: Array, deviations: Array) -> tuple[Array, Array]:
    targets, scale = transformed(values)
    return targets, np.where(np.isnan(deviations), np.nan, np.maximum(deviations / scale, 1e-5) ** 2)


def success_model(encoder: Encoder, observations: Sequence[Observation]) -> Posterior | None:
    """A process over +1 for success and -1 for failure; None while nothing has failed."""
    latest = observations[-MOST_MODELLED:]
    if not any(one.failed for one in latest):
        return None
    labels = np.array([-1.0 if one.failed else 1.0 for one in latest])
    noise = np.full(len(labels), LABEL_NOISE)
    x = encoder.encode(one.assignments for one in latest)
    shape = Shape(encoder.owner)
    early = slice(max(0, refit_at(len(latest)) - MOST_LEARNED_FROM), refit_at(len(latest)))
    return Posterior(shape, x, labels, noise, learn(shape, x[early], labels[early], noise[early]))


def _subset(values: Array) -> Array:
    """Which observations a model sees, in order: all, or the best half and the latest half of what fits."""
    if len(values) <= MOST_MODELLED:
        return np.arange(len(values))
    best = np.argsort(-values)[: MOST_MODELLED // 2]
    return np.unique(np.concatenate([best, np.arange(len(values) - MOST_MODELLED // 2, len(values))]))
