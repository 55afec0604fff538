"""The optimizer for the service: its functions over an experiment's body and plain rows. They are called in the optimizer's own process."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from trialflow import optimizer
from trialflow.optimizer import SpaceExhausted, UnsupportedExperiment
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.grid import grid_point
from trialflow.optimizer.solutions import far_apart
from trialflow.optimizer_inputs import defaults_of, metrics_of, next_point, observation_of, space_of
from trialflow.service.errors import BadRequest, NoUntriedPoint
from trialflow.service.multitask import task_with_cost

logger = logging.getLogger(__name__)
Row = Mapping[str, Any]


def suggest(identifier: int, body: Row, rows: Sequence[Row], pending: Sequence[Row], retired: Sequence[Row]) -> dict[str, Any]:
    """Assignments, the method that found them, and their task, for an experiment. Raises `NoUntriedPoint` when its space is used up.

    `retired` are the assignments of deleted suggestions, which a grid gives out again last.
    """
    tasks = body.get("tasks") or []
    try:
        found = next_point(body, rows, pending, retired, seed=identifier)
    except SpaceExhausted as exhausted:
        raise NoUntriedPoint(exhausted.message) from None
    logger.debug("experiment %s: %s", identifier, found.method)
    return {"assignments": found.assignments, "method": found.method, "task": task_with_cost(tasks, found.task_cost) if tasks else None}


def suggest_again(identifier: int, body: Row, count: int) -> dict[str, Any]:
    """A random point of a space in which every point was tried; `count` says how many suggestions there were before."""
    space, tasks = space_of(body), body.get("tasks") or []
    if body.get("type") == "grid":
        index = int(np.random.default_rng([identifier, count]).integers(space.size or 1))
        assignments: Row = grid_point(space, index)
    else:
        seed = int(np.random.default_rng([identifier, count]).integers(2**31))
        try:
            assignments = optimizer.suggest(space, metrics_of(body), [], [], seed=seed, kind="random").assignments
        except SpaceExhausted as exhausted:  # the constraints leave no point at all
            raise NoUntriedPoint(exhausted.message) from None
    return {"assignments": dict(assignments), "method": "random", "task": task_with_cost(tasks, 1.0) if tasks else None}


def importances(body: Row, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Metric -> parameter -> its share of what moves the metric; a metric of which too little is known is left out."""
    defaults = defaults_of(body)
    return optimizer.importances(space_of(body), metrics_of(body), [observation_of(row, defaults) for row in rows])


def beliefs(body: Row, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Metric -> the fields of the optimizer's `Belief`, and the parameters' `importances`."""
    defaults = defaults_of(body)
    asked = space_of(body), metrics_of(body), [observation_of(row, defaults) for row in rows]
    shares = optimizer.importances(*asked)
    return {metric: {**asdict(one), "importances": shares.get(metric, {})} for metric, one in optimizer.model_summaries(*asked).items()}


def diverse(body: Row, ranked: Sequence[Row]) -> list[int]:
    """Of good assignments at different points, best first, the ranks of `num_solutions` that are far from each other; of all if there are no more."""
    count = min(int(body["num_solutions"]), len(ranked))
    if count == len(ranked):
        return list(range(count))
    far = [int(rank) for rank in far_apart(Encoder(space_of(body)).encode(ranked), -np.arange(len(ranked), dtype=float), count)]
    nearer = [rank for rank in range(len(ranked)) if rank not in far]  # where points lie too close to each other, the best of them
    return sorted([*far, *nearer[: count - len(far)]])


def check_supported(body: Row) -> None:
    """Refuse an experiment whose kind the optimizer cannot do (400)."""
    try:
        kind, solutions = body.get("type") or "offline", body.get("num_solutions") or 1
        optimizer.check_supported(space_of(body), metrics_of(body), kind, num_solutions=solutions, tasks="tasks" in body)
    except UnsupportedExperiment as refused:
        raise BadRequest(refused.message) from None
