"""The optimizer for the service: its functions over an experiment's body and plain rows. They are called in the optimizer's own process."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from trialflow import optimizer
from trialflow.optimizer import (
    BetaPrior,
    Conditional,
    LinearConstraint,
    Metric,
    NormalPrior,
    Observation,
    Parameter,
    Space,
    SpaceExhausted,
    UnsupportedExperiment,
    Value,
)
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.grid import grid_point
from trialflow.optimizer.solutions import far_apart
from trialflow.service.errors import BadRequest, NoUntriedPoint
from trialflow.service.multitask import task_with_cost

logger = logging.getLogger(__name__)
Row = Mapping[str, Any]


def suggest(identifier: int, body: Row, rows: Sequence[Row], pending: Sequence[Row], retired: Sequence[Row]) -> dict[str, Any]:
    """Assignments, the method that found them, and their task, for an experiment. Raises `NoUntriedPoint` when its space is used up.

    `retired` are the assignments of deleted suggestions, which a grid gives out again last.
    """
    tasks, defaults = body.get("tasks") or [], defaults_of(body)
    try:
        if body.get("type") == "grid":
            found = optimizer.Suggestion(_grid_point(space_of(body), [*(row["assignments"] for row in rows), *pending], retired), "grid")
        else:
            found = optimizer.suggest(
                space_of(body),
                metrics_of(body),
                [observation_of(row, defaults) for row in rows],
                [{**defaults, **one} for one in pending],
                seed=identifier,
                kind=body.get("type") or "offline",
                budget=body.get("budget"),
                parallel_bandwidth=body.get("parallel_bandwidth") or 1,
                num_solutions=body.get("num_solutions") or 1,
                task_costs=tuple(one["cost"] for one in tasks),
            )
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


def _grid_point(space: Space, taken: Sequence[Row], retired: Sequence[Row]) -> dict[str, Any]:
    """The first point of a grid that was never given out; when there is none, the first that is not taken now. Raises `SpaceExhausted`."""
    names = sorted(one.name for one in space.parameters)

    def key(point: Row) -> tuple[Any, ...]:
        return tuple(point.get(name) for name in names)

    now, ever = {key(one) for one in taken}, {key(one) for one in (*taken, *retired)}
    size = space.size or 0
    if not retired and len(now) < size and key(next_one := grid_point(space, len(now))) not in now:
        return dict(next_one)
    for seen in (ever, now):
        if (found := next((one for index in range(size) if key(one := grid_point(space, index)) not in seen), None)) is not None:
            return dict(found)
    raise SpaceExhausted(f"space exhausted: all {size} points of the grid are known or pending")


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


def space_of(body: Row) -> Space:
    """The optimizer's space of an experiment's body."""

    def prior(one: Row | None) -> NormalPrior | BetaPrior | None:
        if one is None:
            return None
        return NormalPrior(one["mean"], one["scale"]) if one["name"] == "normal" else BetaPrior(one["shape_a"], one["shape_b"])

    parameters = [
        Parameter(
            name=one["name"],
            type=one["type"],
            bounds=(one["bounds"]["min"], one["bounds"]["max"]) if one.get("bounds") else None,
            grid=tuple(one["grid"]) if one.get("grid") else None,
            categories=tuple(one["categorical_values"]) if one.get("categorical_values") else None,
            log=one.get("transformation") == "log",
            prior=prior(one.get("prior")),
            conditions={name: tuple(values) for name, values in (one.get("conditions") or {}).items()},
        )
        for one in body["parameters"]
    ]
    conditionals = tuple(Conditional(one["name"], tuple(one["values"])) for one in body.get("conditionals") or [])
    constraints = tuple(
        LinearConstraint(one["type"], one["threshold"], tuple((term["name"], term["weight"]) for term in one["terms"]))
        for one in body.get("linear_constraints") or []
    )
    return Space(tuple(parameters), conditionals, constraints)


def metrics_of(body: Row) -> list[Metric]:
    """The optimizer's metrics of an experiment's body."""
    return [
        Metric(one["name"], one.get("objective") or "maximize", one.get("strategy") or "optimize", one.get("threshold")) for one in body["metrics"]
    ]


def defaults_of(body: Row) -> dict[str, Any]:
    """What older points count as having for parameters that were added later."""
    return {one["name"]: one["default_value"] for one in body["parameters"] if one.get("default_value") is not None and not one.get("conditions")}


def observation_of(row: Row, defaults: Row) -> Observation:
    """The optimizer's observation of a row."""
    values = {one["name"]: Value(one["value"], one.get("value_stddev")) for one in row["values"]}
    return Observation({**defaults, **row["assignments"]}, values, failed=row["failed"], task_cost=(row["task"] or {}).get("cost", 1.0))
