"""The fitted models in words for people: the importance of each parameter for each metric, the best point, the noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialflow.optimizer.candidates import probability_of_success
from trialflow.optimizer.design import Sampler
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.expected_improvement import Feasibility
from trialflow.optimizer.model import MetricModel, fit
from trialflow.optimizer.observations import Dataset, Metric, Observation
from trialflow.optimizer.space import Assignment, Space

FEWEST = 5
SAMPLES = 256
MOST = 400


@dataclass(frozen=True)
class ModelSummary:
    """What a metric's model says, in the metric's own units.

    `best` are the assignments of the observed point with the best expected value, which is `value` give or take `stddev`; `noise` is the standard
    deviation of repeated measurements near there. A parameter of small `length_scales` matters at short range: 1 is the width of the space.
    """

    best: dict[str, Assignment]
    value: float
    stddev: float
    noise: float
    length_scales: dict[str, float]


def importances(space: Space, metrics: Sequence[Metric], observations: Sequence[Observation]) -> dict[str, dict[str, float]]:
    """Metric -> parameter -> share, each metric's shares adding up to 1. Metrics with fewer than 5 values are left out.

    The share is the total-effect index of the model's mean: the variance that is left when all other parameters are fixed. Jansen (1999),
    "Analysis of variance designs for model output". Points count by the chance that a training run there does not fail: what a metric would be where
    nothing ever comes out of it, moves nothing.
    """
    return {name: _shares(space, fitted, probability_of_success(dataset, MOST)) for name, fitted, dataset in _models(space, metrics, observations)}


def model_summaries(space: Space, metrics: Sequence[Metric], observations: Sequence[Observation]) -> dict[str, ModelSummary]:
    """Metric -> what its model believes. Metrics with fewer than 5 values are left out."""
    return {name: _summary(fitted, dataset) for name, fitted, dataset in _models(space, metrics, observations)}


def _models(space: Space, metrics: Sequence[Metric], observations: Sequence[Observation]) -> list[tuple[str, MetricModel, Dataset]]:
    dataset = Dataset(Encoder(space), [one for one in observations if one.task_cost >= 1.0])
    found = []
    for metric in metrics:
        if dataset.measured([metric]).sum() >= FEWEST and (fitted := fit(dataset, metric, MOST)) is not None:
            found.append((metric.name, fitted, dataset))
    return found


def _success(chance: Feasibility | None, points: np.ndarray) -> np.ndarray:
    return np.ones(len(points)) if chance is None else np.exp(chance.value(points))


def _shares(space: Space, fitted: MetricModel, chance: Feasibility | None) -> dict[str, float]:
    sampler = Sampler(Encoder(space), 0)
    cube, other = np.random.default_rng(1).random((2, SAMPLES, sampler.count))
    points = sampler.encoder.from_cube(cube)
    base, _ = fitted.process.predict(points)
    known = _success(chance, points)
    effects = []
    for index in range(sampler.count):
        moved = cube.copy()
        moved[:, index] = other[:, index]
        points = sampler.encoder.from_cube(moved)
        mean, _ = fitted.process.predict(points)
        weights = np.maximum(known * _success(chance, points), 1e-12)
        effects.append(float(np.average((mean[:, 0] - base[:, 0]) ** 2, weights=weights)) / 2)
    total = sum(effects)
    names = [one.name for one in space.dimensions]
    return {name: effect / total if total > 0 else 1 / len(names) for name, effect in zip(names, effects, strict=True)}


def _summary(fitted: MetricModel, dataset: Dataset) -> ModelSummary:
    process, warp, encoder = fitted.process, fitted.warp, dataset.encoder
    best = int(np.argmax(process.means[:, 0]))
    mean, deviation = (part[0] for part in process.predict(process.x[best : best + 1]))
    level = float(mean[0])
    noise = float(np.sqrt(np.exp(process.theta[-2])))

    def width(step: float) -> float:
        low, high = warp.inverse(np.array([level - step, level + step]))
        return abs(float(high) - float(low)) / 2

    lengths = {one.name: float(np.exp(length)) for one, length in zip(encoder.space.dimensions, process.theta, strict=False)}
    return ModelSummary(encoder.decode(process.x[best]), float(warp.inverse(np.array([level]))[0]), width(float(deviation)), width(noise), lengths)
