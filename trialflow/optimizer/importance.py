"""How much each parameter moves each metric, as the model sees it."""

from collections.abc import Sequence

import numpy as np

from trialflow.optimizer.design import sobol
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.history import Metric, Observation
from trialflow.optimizer.model import metric_model
from trialflow.optimizer.space import Space

FEWEST = 5
SAMPLES = 256


def importances(space: Space, metrics: Sequence[Metric], observations: Sequence[Observation]) -> dict[str, dict[str, float]]:
    """Metric -> parameter -> share, each metric's shares adding up to 1. Metrics with fewer than 5 values are left out.

    The share is the total-effect index of the model's mean: the variance that is left when all other parameters are fixed. Jansen (1999),
    "Analysis of variance designs for model output".
    """
    encoder = Encoder(space)
    result = {}
    for metric in metrics:
        good = [one for one in observations if not one.failed and metric.name in one.values]
        if len(good) < FEWEST:
            continue
        model = metric_model(encoder, metric, good)
        cube, other = sobol(space, SAMPLES, 1), sobol(space, SAMPLES, 2)
        base, _ = model.predict(encoder.from_cube(cube))
        effects = []
        for index in range(len(space.parameters)):
            moved = cube.copy()
            moved[:, index] = other[:, index]
            mean, _ = model.predict(encoder.from_cube(moved))
            effects.append(float(np.mean((mean - base) ** 2)) / 2)
        total = sum(effects)
        names = [one.name for one in space.parameters]
        result[metric.name] = {name: effect / total if total > 0 else 1 / len(names) for name, effect in zip(names, effects, strict=True)}
    return result
