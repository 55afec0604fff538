"""The one entry: what to try next."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trialflow.optimizer.acquisition import Acquisition
from trialflow.optimizer.design import ENUMERABLE, all_points, grid_point, key_of, new_point, sobol, start_length
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.errors import SpaceExhausted, UnsupportedExperiment
from trialflow.optimizer.history import Metric, Observation
from trialflow.optimizer.model import constraint_model, joint_model, metric_model, success_model
from trialflow.optimizer.search import maximise
from trialflow.optimizer.space import Assignment, Space

Array = np.ndarray
Kind = Literal["offline", "random", "grid"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suggestion:
    """Assignments to try, and the method that found them: `grid`, `random`, `sobol` or `gp`."""

    assignments: dict[str, Assignment]
    method: str


def check_supported(space: Space, metrics: Sequence[Metric], kind: Kind, *, num_solutions: int = 1, tasks: bool = False) -> None:
    """Raise `UnsupportedExperiment`, which names what is not supported yet, if the experiment asks for such a thing."""
    asked = {
        "conditionals": bool(space.conditionals),
        "linear_constraints": bool(space.linear_constraints),
        "priors": any(one.prior for one in space.parameters),
        "an experiment with constraints only": not any(one.strategy == "optimize" for one in metrics),
        "num_solutions above 1": num_solutions > 1,
        "tasks": tasks,
    }
    if names := [name for name, is_asked in asked.items() if is_asked]:
        raise UnsupportedExperiment(f"not supported yet: {', '.join(names)}")


def suggest(
    space: Space,
    metrics: Sequence[Metric],
    observations: Sequence[Observation],
    pending: Sequence[Mapping[str, Assignment]],
    *,
    seed: int,
    kind: Kind = "offline",
    budget: int | None = None,
    parallel_bandwidth: int = 1,
) -> Suggestion:
    """The next point to try, one that is neither known nor pending.

    `seed` is the experiment's own and stays the same for all its suggestions. Raises `SpaceExhausted` when a finite space is used up. Numerical
    trouble is logged and answered by a random point.
    """
    encoder = Encoder(space)
    count = len(observations) + len(pending)
    if kind == "grid":
        return Suggestion(grid_point(space, count), "grid")
    taken = {key_of(space, one.assignments) for one in observations} | {key_of(space, one) for one in pending}
    if space.size is not None and len(taken) >= space.size and not _has_left(space, taken):
        raise SpaceExhausted(f"space exhausted: all {space.size} points are known or pending")
    rng = np.random.default_rng([seed, len(observations), len(pending)])
    if kind == "random":
        return Suggestion(new_point(encoder, np.empty((0, encoder.width)), taken, rng), "random")
    succeeded = _measured(observations, _optimized(metrics))
    if count < start_length(space) or len(succeeded) < 2:
        cube = sobol(space, count + 1, seed)[count:]
        return Suggestion(new_point(encoder, encoder.from_cube(cube), taken, rng), "sobol")
    try:
        rows = _model_based(encoder, metrics, observations, pending, rng)
    except (np.linalg.LinAlgError, FloatingPointError, ValueError) as error:
        logger.warning("the model gave no answer (%s); a random point is suggested", error)
        return Suggestion(new_point(encoder, np.empty((0, encoder.width)), taken, rng), "random")
    return Suggestion(new_point(encoder, rows, taken, rng), "gp")


def _model_based(
    encoder: Encoder, metrics: Sequence[Metric], observations: Sequence[Observation], pending: Sequence[Mapping], rng: np.random.Generator
) -> Array:
    """Rows to try, best first, by a Gaussian process and log expected improvement where all conditions are likely to hold."""
    optimized = _optimized(metrics)
    good = _measured(observations, optimized)
    model = metric_model(encoder, optimized[0], good) if len(optimized) == 1 else joint_model(encoder, optimized, good, rng)
    conditions = [success_model(encoder, observations)]
    conditions += [constraint_model(encoder, metric, observations) for metric in metrics if metric.threshold is not None]
    acquisition = Acquisition.over(model, encoder.encode(pending), tuple(one for one in conditions if one is not None), rng)
    if encoder.space.size is not None and encoder.space.size <= ENUMERABLE:
        every = encoder.encode(all_points(encoder.space))
        return every[np.argsort(-acquisition.value(every), kind="stable")]
    mean, _ = model.predict(model.x)
    return maximise(acquisition, encoder, model.x[np.argsort(-mean)[:5]], rng)


def _measured(observations: Sequence[Observation], metrics: Sequence[Metric]) -> list[Observation]:
    """The observations that have a value of each of these metrics."""
    return [one for one in observations if all(_value(one, metric) is not None for metric in metrics)]


def _value(one: Observation, metric: Metric) -> float | None:
    value = one.values.get(metric.name)
    return None if one.failed or value is None or not np.isfinite(value.value) else value.value


def _has_left(space: Space, taken: set) -> bool:
    """Whether any point is left, though as many are taken as there are: old ones may lie outside of new bounds."""
    return any(key_of(space, point) not in taken for point in all_points(space))


def _optimized(metrics: Sequence[Metric]) -> list[Metric]:
    return [one for one in metrics if one.strategy == "optimize"]
