"""Suggestions for the service: the optimizer's inputs are read from the store, and it computes in a process of its own, outside of any transaction.

The next suggestion is precomputed where it is likely to be requested before anything else is observed. Observations are cached, and only new ones are
read.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from trialflow.service.errors import ApiError, Busy, NoUntriedPoint
from trialflow.service.optimizer_process import BACKGROUND, INTERACTIVE, OptimizerProcess, OptimizerProcessEnded
from trialflow.service.precompute import Snapshot, should_precompute, stale_reason
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store.rows import Row
from trialflow.service.store.schema import observations, queued_suggestions, suggestions
from trialflow.service.store.thread import StoreThread

logger = logging.getLogger(__name__)
ADAPTER = "trialflow.service.adapter:"
"""Named, not imported: only the optimizer's process needs numpy and scipy."""
MOST_CACHED = 64
"""Experiments whose observations, or whose next suggestion, are kept in memory."""


@dataclass
class CachedObservations:
    """The observations of one experiment up to the id `last`, as of its `history`."""

    history: int
    last: int = 0
    observed: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Inputs:
    """What the optimizer is given for one suggestion."""

    snapshot: Snapshot
    experiment: Row
    observed: list[Row]
    pending: list[dict[str, Any]]
    retired: list[dict[str, Any]]
    """Assignments of deleted suggestions, for a grid."""


class Suggester:
    """Suggests assignments for experiments of the store."""

    def __init__(self, store: StoreThread, *, precomputes: bool = True) -> None:
        self._store = store
        self._precomputes = precomputes
        self._process = OptimizerProcess()
        self._cache: dict[int, CachedObservations] = {}
        self._ready: dict[int, tuple[Snapshot, Future]] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._preparing: dict[int, asyncio.Task] = {}

    def start(self) -> None:
        """Get ready for the first question, beside the start of the service."""
        self._process.start()

    def lock(self, experiment: int) -> asyncio.Lock:
        """The lock to hold from suggesting until the suggestion is stored: nobody else is given the same point."""
        return self._locks.setdefault(experiment, asyncio.Lock())

    async def suggest(self, experiment: Mapping[str, Any], *, untried_only: bool = False) -> dict[str, Any]:
        """Assignments, the method that found them and their task, for an experiment whose `lock` is held.

        When every point of its space was tried, points are given again at random; with `untried_only` that raises `NoUntriedPoint`.
        """
        queued = await self._store.do(lambda connection: _take_queued(connection, experiment["id"]))
        if queued is not None:
            return {**queued, "method": "queued"}
        inputs = await self._read_inputs(experiment["id"])
        try:
            return await self._answer(self._precomputed(inputs) or self._submit(inputs))
        except NoUntriedPoint:
            if untried_only:
                raise
        count = await self._store.do(lambda connection: _count(connection, experiment["id"]))
        return await self.ask("suggest_again", experiment["id"], inputs.experiment["body"], count)

    def prepare(self, experiment: int) -> None:
        """Precompute the next suggestion if that is worth it. Returns at once; whatever goes wrong will go wrong again when it is requested."""
        if self._precomputes and experiment not in self._preparing:
            task = asyncio.get_running_loop().create_task(self._prepare(experiment))
            self._preparing[experiment] = task

    async def ask(self, function: str, *arguments: Any, urgency: int = INTERACTIVE) -> Any:
        """What a function of `adapter` returns. Raises what it raises, and `Busy` if the optimizer's process died over it."""
        return await self._answer(self._process.submit(ADAPTER + function, *arguments, urgency=urgency))

    def close(self) -> None:
        """End at once: suggestions under way are given up."""
        self._process.close()

    def _precomputed(self, inputs: Inputs) -> Future | None:
        """The suggestion that was precomputed, unless it is stale."""
        snapshot, future = self._ready.pop(inputs.experiment["id"], (None, None))
        if snapshot is None or future is None:
            return None
        # One that has not begun waits behind others: it is submitted again, as urgent.
        return None if future.cancel() or stale_reason(snapshot, inputs.snapshot) is not None else future

    def _submit(self, inputs: Inputs, **more: Any) -> Future:
        row = inputs.experiment
        return self._process.submit(ADAPTER + "suggest", row["id"], row["body"], inputs.observed, inputs.pending, inputs.retired, **more)

    async def _answer(self, future: Future) -> Any:
        try:
            return await asyncio.wrap_future(future)
        except OptimizerProcessEnded as ended:
            raise Busy(f"The optimizer cannot answer now: {ended}") from ended

    async def _prepare(self, experiment: int) -> None:
        try:
            async with self.lock(experiment):
                self._preparing.pop(experiment, None)  # what happens from here on is not seen by this one
                inputs = await self._read_inputs(experiment)
                snapshot, ready = self._ready.get(experiment, (None, None))
                if snapshot is not None and stale_reason(snapshot, inputs.snapshot) is None:
                    return
                if ready is not None:
                    ready.cancel()
                    del self._ready[experiment]
                body = inputs.experiment["body"]
                spent = sum((one["task"] or {}).get("cost", 1.0) for one in inputs.observed)
                bandwidth = body.get("parallel_bandwidth") or 1
                if should_precompute(pending=len(inputs.pending), bandwidth=bandwidth, observed=spent, budget=body.get("budget")):
                    self._ready[experiment] = (inputs.snapshot, self._submit(inputs, urgency=BACKGROUND))
                while len(self._ready) > MOST_CACHED:
                    self._ready.pop(next(iter(self._ready)))[1].cancel()
        except ApiError as error:
            logger.warning("the next suggestion of experiment %s was not precomputed: %s", experiment, error.message)

    async def _read_inputs(self, experiment: int) -> Inputs:
        """The optimizer's inputs, read where they are not cached. The experiment's `lock` is held."""
        row, rows, pending, retired = await self._store.do(lambda connection: self._read(connection, experiment))
        cached = self._cache.pop(experiment, None)
        if cached is None or cached.history != row["history"]:
            cached = CachedObservations(row["history"])
        cached.observed += rows
        cached.last = rows[-1]["id"] if rows else cached.last
        self._cache[experiment] = cached
        while len(self._cache) > MOST_CACHED:
            del self._cache[next(iter(self._cache))]
        snapshot = Snapshot(row["history"], cached.last, tuple(identifier for identifier, _ in pending))
        return Inputs(snapshot, row, list(cached.observed), [assignments for _, assignments in pending], retired)

    def _read(self, connection: Connection, experiment: int) -> tuple[Row, list[Row], list[tuple[int, dict]], list[dict]]:
        row = experiment_store.get(connection, experiment)
        cached = self._cache.get(experiment)
        last = cached.last if cached and cached.history == row["history"] else 0
        table = observations.c
        columns = (table.id, table.assignments, table["values"], table.failed, table.task)
        wanted = (table.experiment == experiment) & table.deleted.is_(False) & (table.id > last)
        rows = [dict(one) for one in connection.execute(select(*columns).where(wanted).order_by(table.id)).mappings()]
        table = suggestions.c
        is_pending = (table.experiment == experiment) & table.deleted.is_(False) & (table.state == "open")
        pending = connection.execute(select(table.id, table.assignments).where(is_pending).order_by(table.id)).all()
        is_grid = row["body"].get("type") == "grid"
        is_retired = (table.experiment == experiment) & table.deleted.is_(True)
        retired = list(connection.execute(select(table.assignments).where(is_retired)).scalars()) if is_grid else []
        return row, rows, [(identifier, assignments) for identifier, assignments in pending], retired


def _take_queued(connection: Connection, experiment: int) -> dict[str, Any] | None:
    query = select(queued_suggestions).where(queued_suggestions.c.experiment == experiment).order_by(queued_suggestions.c.id).limit(1)
    first = connection.execute(query).mappings().first()
    if first is None:
        return None
    connection.execute(queued_suggestions.delete().where(queued_suggestions.c.id == first["id"]))
    return {"assignments": first["assignments"], "task": first["task"]}


def _count(connection: Connection, experiment: int) -> int:
    """How many suggestions an experiment ever had."""
    return connection.execute(select(func.count()).select_from(suggestions).where(suggestions.c.experiment == experiment)).scalar_one()
