"""The optimizer for the service: rows become its types, and a suggestion comes back. Never inside a transaction, nor in the way of others.

One suggestion at a time for each experiment, in a thread; what was observed is kept in memory and only what is new is read.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from trialflow.service.errors import BadRequest
from trialflow.service.store.schema import observations, queued_suggestions, suggestions
from trialflow.service.store.thread import StoreThread
from trialflow.service.tasks import task_costing

if TYPE_CHECKING:
    from trialflow.optimizer import Observation, Space

logger = logging.getLogger(__name__)
Row = Mapping[str, Any]
MOST_REMEMBERED = 64
"""Experiments whose observations are kept in memory."""


@dataclass
class Memory:
    """What is known of one experiment: its observations up to `last`, as of its `history`."""

    history: int
    last: int = 0
    observed: "list[Observation]" = field(default_factory=list)


class Advisor:
    """Suggests assignments for experiments of the store."""

    def __init__(self, store: StoreThread) -> None:
        self._store = store
        self._memory: dict[int, Memory] = {}
        self._turns: dict[int, asyncio.Lock] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="advisor")

    def turn(self, experiment: int) -> asyncio.Lock:
        """The lock to hold from suggesting until the suggestion is stored: nobody else is given the same point."""
        return self._turns.setdefault(experiment, asyncio.Lock())

    async def suggest(self, experiment: Row) -> dict[str, Any]:
        """Assignments and the method that found them, for an experiment's row. Raises `BadRequest` when its space is exhausted."""
        queued, rows, pending = await self._store.do(lambda connection: self._read(connection, experiment))
        if queued is not None:
            return {**queued, "method": "queued"}
        memory = self._remember(experiment, rows)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, experiment, list(memory.observed), pending)

    async def importances(self, experiment: Row, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
        """Metric -> parameter -> its share of what moves the metric; empty for a metric of which too little is known."""

        def ask() -> dict[str, dict[str, float]]:
            from trialflow.optimizer import importances

            return importances(space_of(experiment["body"]), metrics_of(experiment["body"]), [observation_of(row) for row in rows])

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)

    def close(self) -> None:
        """End once the suggestion under way is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, connection: Connection, experiment: Row) -> tuple[dict | None, Sequence[Row], list[dict]]:
        """What the optimizer needs to know and does not remember."""
        first = connection.execute(select(queued_suggestions).where(queued_suggestions.c.experiment == experiment["id"]).limit(1)).mappings().first()
        if first is not None:
            connection.execute(queued_suggestions.delete().where(queued_suggestions.c.id == first["id"]))
            return {"assignments": first["assignments"], "task": first["task"]}, [], []
        memory = self._memory.get(experiment["id"])
        known = memory.last if memory and memory.history == experiment["history"] else 0
        table = observations.c
        columns = (table.id, table.assignments, table["values"], table.failed, table.task)
        wanted = (table.experiment == experiment["id"]) & table.deleted.is_(False) & (table.id > known)
        rows = [dict(row) for row in connection.execute(select(*columns).where(wanted).order_by(table.id)).mappings()]
        table = suggestions.c
        is_pending = (table.experiment == experiment["id"]) & table.deleted.is_(False) & (table.state == "open")
        return None, rows, list(connection.execute(select(table.assignments).where(is_pending).order_by(table.id)).scalars())

    def _remember(self, experiment: Row, rows: Sequence[Row]) -> Memory:
        memory = self._memory.pop(experiment["id"], None)
        if memory is None or memory.history != experiment["history"]:
            memory = Memory(experiment["history"])
        memory.observed += [observation_of(row) for row in rows]
        memory.last = rows[-1]["id"] if rows else memory.last
        self._memory[experiment["id"]] = memory
        while len(self._memory) > MOST_REMEMBERED:
            del self._memory[next(iter(self._memory))]
        return memory

    @staticmethod
    def _ask(experiment: Row, observed: "list[Observation]", pending: list[dict]) -> dict[str, Any]:
        from trialflow.optimizer import SpaceExhausted, suggest

        body = experiment["body"]
        tasks = body.get("tasks") or []
        try:
            found = suggest(
                space_of(body),
                metrics_of(body),
                observed,
                pending,
                seed=int(experiment["id"]),
                kind=body.get("type") or "offline",
                budget=body.get("budget"),
                parallel_bandwidth=body.get("parallel_bandwidth") or 1,
                num_solutions=body.get("num_solutions") or 1,
                task_costs=tuple(one["cost"] for one in tasks),
            )
        except SpaceExhausted as exhausted:
            raise BadRequest(exhausted.message) from exhausted
        logger.debug("experiment %s: %s", experiment["id"], found.method)
        return {"assignments": found.assignments, "method": found.method, "task": task_costing(tasks, found.task_cost) if tasks else None}


def space_of(body: Row) -> "Space":
    """The optimizer's space of an experiment's body."""
    from trialflow.optimizer import BetaPrior, Conditional, LinearConstraint, NormalPrior, Parameter, Space

    def prior(one: Row | None) -> "NormalPrior | BetaPrior | None":
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


def metrics_of(body: Row) -> list:
    """The optimizer's metrics of an experiment's body."""
    from trialflow.optimizer import Metric

    return [
        Metric(one["name"], one.get("objective") or "maximize", one.get("strategy") or "optimize", one.get("threshold")) for one in body["metrics"]
    ]


def observation_of(row: Row) -> "Observation":
    """The optimizer's observation of a row."""
    from trialflow.optimizer import Observation, Value

    values = {one["name"]: Value(one["value"], one.get("value_stddev")) for one in row["values"]}
    return Observation(row["assignments"], values, failed=row["failed"], task_cost=(row["task"] or {}).get("cost", 1.0))


def different(body: Row, ranked: Sequence[Row]) -> list[int]:
    """Of good assignments, best first, the places of `num_solutions` that are far from each other."""
    import numpy as np

    from trialflow.optimizer.encoding import Encoder
    from trialflow.optimizer.solutions import far_apart

    rows = Encoder(space_of(body)).encode(ranked)
    return sorted(int(place) for place in far_apart(rows, -np.arange(len(ranked), dtype=float), min(int(body["num_solutions"]), len(ranked))))


def check_supported(body: Row, *, tasks: bool = False) -> None:
    """Refuse an experiment whose kind the optimizer cannot do (400)."""
    from trialflow.optimizer import UnsupportedExperiment
    from trialflow.optimizer import check_supported as check

    try:
        check(space_of(body), metrics_of(body), body.get("type") or "offline", num_solutions=body.get("num_solutions") or 1, tasks=tasks)
    except UnsupportedExperiment as refused:
        raise BadRequest(refused.message) from refused


def warm_up() -> None:
    """Import what the first suggestion needs, beside the start of the service."""

    def load() -> None:
        import scipy.stats.qmc  # noqa: F401

        import trialflow.optimizer  # noqa: F401

    threading.Thread(target=load, name="warm-up", daemon=True).start()
