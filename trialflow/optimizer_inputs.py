"""An experiment in the optimizer's terms: the API's bodies and rows of observations as space, metrics and observations. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    Suggestion,
    Value,
)
from trialflow.optimizer.grid import grid_point

Row = Mapping[str, Any]


def next_point(body: Row, rows: Sequence[Row], pending: Sequence[Row], retired: Sequence[Row] = (), *, seed: int) -> Suggestion:
    """What to try next in an experiment. Raises `SpaceExhausted` when its space is used up.

    `rows` are observations, `pending` assignments in flight, `retired` those of deleted suggestions, which a grid gives out again last.
    """
    if body.get("type") == "grid":
        return Suggestion(_grid_point(space_of(body), [*(row["assignments"] for row in rows), *pending], retired), "grid")
    defaults = defaults_of(body)
    observed = [observation_of(row, defaults) for row in rows]
    costs = tuple(one["cost"] for one in body.get("tasks") or [])
    if not costs and any(one.task_cost < 1 for one in observed):
        costs = (1.0,)  # of an earlier experiment: what they tell is learned, and nothing but the full task is asked
    return optimizer.suggest(
        space_of(body),
        metrics_of(body),
        observed,
        [{**defaults, **one} for one in pending],
        seed=seed,
        kind=body.get("type") or "offline",
        budget=body.get("budget"),
        parallel_bandwidth=body.get("parallel_bandwidth") or 1,
        num_solutions=body.get("num_solutions") or 1,
        task_costs=costs,
    )


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
