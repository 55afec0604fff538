"""The optimizer for the service: what it has to know is read, and a suggestion comes back. Never inside a transaction, nor in the way of others.

The optimizer computes in a process of its own. The next suggestion is computed ahead where it is likely to be asked for before anything is
observed; what was observed is kept in memory, and only what is new is read.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from trialflow.service.computing import AHEAD, Computer
from trialflow.service.errors import ApiError
from trialflow.service.precompute import Basis, is_worth_it, why_not
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store.rows import Row
from trialflow.service.store.schema import observations, queued_suggestions, suggestions
from trialflow.service.store.thread import StoreThread

logger = logging.getLogger(__name__)
ASKING = "trialflow.service.adapter:"
"""It is named, not imported: numpy and scipy are needed in the process for computing only."""
MOST_REMEMBERED = 64
"""Experiments whose observations, or whose next suggestion, are kept in memory."""


@dataclass
class Memory:
    """What is known of one experiment: its observations up to `last`, as of its `history`."""

    history: int
    last: int = 0
    observed: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """What a suggestion follows from, and what was read for it."""

    basis: Basis
    experiment: Row
    observed: list[Row]
    pending: list[dict]


class Suggester:
    """Suggests assignments for experiments of the store."""

    def __init__(self, store: StoreThread, *, is_ahead: bool = True) -> None:
        self._store = store
        self._is_ahead = is_ahead
        self._computer = Computer()
        self._memory: dict[int, Memory] = {}
        self._ready: dict[int, tuple[Basis, Future]] = {}
        self._turns: dict[int, asyncio.Lock] = {}
        self._preparing: dict[int, asyncio.Task] = {}

    def start(self) -> None:
        """Get ready for the first question, beside the start of the service."""
        self._computer.start()

    def turn(self, experiment: int) -> asyncio.Lock:
        """The lock to hold from suggesting until the suggestion is stored: nobody else is given the same point."""
        return self._turns.setdefault(experiment, asyncio.Lock())

    async def suggest(self, experiment: Mapping[str, Any]) -> dict[str, Any]:
        """Assignments, the method that found them and their task, for one whose `turn` is held. Raises `BadRequest` when there are none left."""
        queued = await self._store.do(lambda connection: _take_queued(connection, experiment["id"]))
        if queued is not None:
            return {**queued, "method": "queued"}
        known = await self._know(experiment["id"])
        basis, ready = self._ready.pop(experiment["id"], (None, None))
        if basis is not None and ready is not None:
            reason = why_not(basis, known.basis)
            # What waits for its turn behind others is asked for anew, as urgent.
            if reason is None and not ready.cancel():
                return await asyncio.wrap_future(ready)
            ready.cancel()
        return await asyncio.wrap_future(self._ask(known))

    def prepare(self, experiment: int) -> None:
        """Compute the next suggestion ahead, if that is worth it. Returns at once; what goes wrong is found out again when it is asked for."""
        if self._is_ahead and experiment not in self._preparing:
            task = asyncio.get_running_loop().create_task(self._prepare(experiment))
            self._preparing[experiment] = task

    async def ask(self, function: str, *arguments: Any) -> Any:
        """What a function of `asking` answers. Raises what it raises."""
        return await asyncio.wrap_future(self._computer.submit(ASKING + function, *arguments))

    def close(self) -> None:
        """End at once: suggestions under way are given up."""
        self._computer.close()

    def _ask(self, known: Known, **more: Any) -> Future:
        return self._computer.submit(ASKING + "suggest", known.experiment["id"], known.experiment["body"], known.observed, known.pending, **more)

    async def _prepare(self, experiment: int) -> None:
        try:
            async with self.turn(experiment):
                self._preparing.pop(experiment, None)  # what happens from here on is not seen by this one
                known = await self._know(experiment)
                basis, ready = self._ready.get(experiment, (None, None))
                if basis is not None and why_not(basis, known.basis) is None:
                    return
                if ready is not None:
                    ready.cancel()
                    del self._ready[experiment]
                body = known.experiment["body"]
                spent = sum((one["task"] or {}).get("cost", 1.0) for one in known.observed)
                bandwidth = body.get("parallel_bandwidth") or 1
                if is_worth_it(pending=len(known.pending), bandwidth=bandwidth, observed=spent, budget=body.get("budget")):
                    self._ready[experiment] = (known.basis, self._ask(known, urgency=AHEAD))
                while len(self._ready) > MOST_REMEMBERED:
                    self._ready.pop(next(iter(self._ready)))[1].cancel()
        except ApiError as error:
            logger.warning("the next suggestion of experiment %s was not computed ahead: %s", experiment, error.message)

    async def _know(self, experiment: int) -> Known:
        """What the optimizer needs to know, read where it is not remembered. The experiment's `turn` is held."""
        row, rows, pending = await self._store.do(lambda connection: self._read(connection, experiment))
        memory = self._memory.pop(experiment, None)
        if memory is None or memory.history != row["history"]:
            memory = Memory(row["history"])
        memory.observed += rows
        memory.last = rows[-1]["id"] if rows else memory.last
        self._memory[experiment] = memory
        while len(self._memory) > MOST_REMEMBERED:
            del self._memory[next(iter(self._memory))]
        basis = Basis(row["history"], memory.last, tuple(identifier for identifier, _ in pending))
        return Known(basis, row, list(memory.observed), [assignments for _, assignments in pending])

    def _read(self, connection: Connection, experiment: int) -> tuple[Row, list[Row], list[tuple[int, dict]]]:
        row = experiment_store.get(connection, experiment)
        memory = self._memory.get(experiment)
        last = memory.last if memory and memory.history == row["history"] else 0
        table = observations.c
        columns = (table.id, table.assignments, table["values"], table.failed, table.task)
        wanted = (table.experiment == experiment) & table.deleted.is_(False) & (table.id > last)
        rows = [dict(one) for one in connection.execute(select(*columns).where(wanted).order_by(table.id)).mappings()]
        table = suggestions.c
        is_pending = (table.experiment == experiment) & table.deleted.is_(False) & (table.state == "open")
        pending = connection.execute(select(table.id, table.assignments).where(is_pending).order_by(table.id)).all()
        return row, rows, [(identifier, assignments) for identifier, assignments in pending]


def _take_queued(connection: Connection, experiment: int) -> dict[str, Any] | None:
    query = select(queued_suggestions).where(queued_suggestions.c.experiment == experiment).order_by(queued_suggestions.c.id).limit(1)
    first = connection.execute(query).mappings().first()
    if first is None:
        return None
    connection.execute(queued_suggestions.delete().where(queued_suggestions.c.id == first["id"]))
    return {"assignments": first["assignments"], "task": first["task"]}
