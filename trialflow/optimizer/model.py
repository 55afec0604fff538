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
CHEBYSHEV_SUM = 0.05


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


def joint_model(encoder: Encoder, metrics: Sequence[Metric], good: Sequence[Observation], rng: np.random.Generator) -> Posterior:
    """A process over a random weighing of several metrics, from observations that all have them.

    Knowles (2006), "ParEGO": the augmented Chebyshev sum with weights drawn anew for each suggestion; over time all of the Pareto front is aimed at.
    """
    parts = []
    for metric in metrics:
        sign = -1.0 if metric.objective == "minimize" else 1.0
        parts.append(transformed(np.array([sign * one.values[metric.name].value for one in good]))[0])
    # Measured from the best of each metric, so that a weighing of what is lost in each is compared.
    losses = np.array([part.max() - part for part in parts])
    weights = rng.dirichlet(np.ones(len(metrics)))[:, None]
    targets, _ = transformed(-(np.max(weights * losses, axis=0) + CHEBYSHEV_SUM * np.sum(weights * losses, axis=0)))
    chosen = _subset(targets)
    x, noise = encoder.encode(good[index].assignments for index in chosen), np.full(len(chosen), np.nan)
    early = slice(0, MOST_LEARNED_FROM)
    shape = Shape(encoder.owner)
    return Posterior(shape, x, targets[chosen], noise, learn(shape, x[early], targets[chosen][early], noise[early]))


def constraint_model(encoder: Encoder, metric: Metric, observations: Sequence[Observation]) -> Posterior | None:
    """A process over how far a metric is on the allowed side of its threshold, in standard deviations; None while nothing is known."""
    good = [one for one in observations if not one.failed and metric.name in one.values][-MOST_MODELLED:]
    if len(good) < 2 or metric.threshold is None:
        return None
    sign = -1.0 if metric.objective == "minimize" else 1.0
    margins = sign * (np.array([one.values[metric.name].value for one in good]) - metric.threshold)
    scale = max(float(np.std(margins)), 1e-12)
    shape = Shape(encoder.owner)
    x, noise, y = encoder.encode(one.assignments for one in good), np.full(len(good), np.nan), np.clip(margins / scale, -5.0, 5.0)
    early = slice(0, min(refit_at(len(good)), MOST_LEARNED_FROM))
    return Posterior(shape, x, y, noise, learn(shape, x[early], y[early], noise[early]))


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
