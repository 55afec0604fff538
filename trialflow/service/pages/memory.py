"""What pages show of experiments, kept in memory: only what has changed since the last look is read from the store."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection, select

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metadata_keys import PREFIX
from trialflow.results.pictures import Entry, Point, catalogue, points_of
from trialflow.results.pictures.front import front_of
from trialflow.results.pictures.points import optimized_metrics
from trialflow.service import serializers
from trialflow.service.store import StoreThread
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import workers as worker_store
from trialflow.service.store.progress import progress
from trialflow.service.store.rows import Row, now
from trialflow.service.store.schema import checkpoints, observations, training_runs

MOST_KEPT = 12
"""Experiments whose training runs are kept."""
AT_ONCE = 1000
"""Training runs that are read in one job of the store: others are served in between."""
READ = ("id", "name", "state", "created", "updated", "completed", "deleted", "checkpoint_count", "data")
MOST_CURVES = 60
"""Training runs whose checkpoints are drawn, the newest."""


class WorkedOn(Experiment):
    """An experiment with the holders of its living leases."""

    workers: list[dict[str, Any]]


@dataclass
class Shown:
    """One experiment as the API shows it, and its training runs as far as pages need them.

    `version` changes whenever any of it does.
    """

    experiment: WorkedOn
    runs: dict[int, TrainingRun]
    version: str
    curves: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    kept: dict[Any, dict[str, str]] = field(default_factory=dict)
    """The last parts of a page that were made of it, by what they were made for."""
    answers: dict[str, str] = field(default_factory=dict)
    """The last answer to a page's script, by the query: whoever comes back to a page waits for nothing."""

    @cached_property
    def points(self) -> list[Point]:
        """The training runs as points, oldest first."""
        return points_of(self.runs.values())

    @cached_property
    def best(self) -> list[int]:
        """The ids of the best training runs, best first. Several solutions are left to the API, which chooses them at different points."""
        return [one.id for one in front_of(self.experiment, self.points)] if optimized_metrics(self.experiment) else []

    @property
    def with_checkpoints(self) -> int:
        """How many training runs have checkpoints."""
        return sum(1 for run in self.runs.values() if run["checkpoint_count"])

    @cached_property
    def entries(self) -> list[Entry]:
        """The pictures that can be made of it."""
        return catalogue(self.experiment, self.points, checkpoints=self.curves, with_checkpoints=self.with_checkpoints)


@dataclass
class _Kept:
    history: int
    changes: int = 0
    since: int = 0
    last: int = 0
    facts: Any = None
    runs: dict[int, TrainingRun] = field(default_factory=dict)
    curves: dict[int, tuple[int, list[dict[str, Any]]]] = field(default_factory=dict)
    shown: Shown | None = None


class Memory:
    """The experiments that were looked at last."""

    def __init__(self, store: StoreThread) -> None:
        self._store = store
        self._kept: dict[int, _Kept] = {}
        self._nonce = secrets.token_hex(4)

    async def of(self, identifier: str) -> Shown:
        """An experiment as it is now. Raises `NotFound`."""
        row, facts = await self._store.do(lambda connection: _facts(connection, identifier))
        kept = self._kept.pop(row["id"], None)
        if kept is None or kept.history != row["history"]:
            kept = _Kept(row["history"], changes=0 if kept is None else kept.changes + 1)
        self._kept[row["id"]] = kept
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        has_changed = await (self._read_observations if row["kind"] == "core" else self._read_runs)(row["id"], kept)
        if has_changed or facts != kept.facts or kept.shown is None:
            kept.changes, kept.facts = kept.changes + 1, facts
            version = f"{self._nonce}-{row['id']}-{row['history']}-{kept.changes}"
            kept.shown = Shown(facts, dict(kept.runs), version, {number: some for number, (_, some) in kept.curves.items()})
        return kept.shown

    async def _read_runs(self, experiment: int, kept: _Kept) -> bool:
        """Read what has changed in the second of the last change or later, then what is new. Whether there was anything."""
        table, has_changed = training_runs.c, False
        of_it = table.experiment == experiment
        if kept.last:
            changed = of_it & (table.id <= kept.last) & ((table.updated >= kept.since) | table.completed.is_(None))
            has_changed = self._take(kept, await self._store.do(lambda connection: _rows(connection, changed)))
        while rows := await self._store.do(lambda connection: _rows(connection, of_it & (table.id > kept.last), AT_ONCE)):
            has_changed = self._take(kept, rows) or has_changed
            kept.last = rows[-1]["id"]
            if len(rows) < AT_ONCE:
                break
        return has_changed | await self._read_curves(kept)

    def _take(self, kept: _Kept, rows: list[Row]) -> bool:
        has_changed = False
        for row in rows:
            kept.since = max(kept.since, row["updated"])
            if row["deleted"]:
                has_changed = kept.runs.pop(row["id"], None) is not None or has_changed
            elif kept.runs.get(row["id"]) != (shown := _shown(row)):
                kept.runs[row["id"]] = shown
                has_changed = True
        return has_changed

    async def _read_curves(self, kept: _Kept) -> bool:
        """Read the checkpoints of the newest training runs that have any, where there are more of them than before."""
        counts = [(number, run["checkpoint_count"]) for number, run in kept.runs.items() if run["checkpoint_count"]]
        newest = dict(sorted(counts)[-MOST_CURVES:])
        wanted = {number for number, count in newest.items() if kept.curves.get(number, (0, []))[0] != count}
        if not wanted:
            return False
        found: dict[int, list[dict[str, Any]]] = {number: [] for number in wanted}
        for row in await self._store.do(lambda connection: _checkpoints(connection, wanted)):
            found[row["training_run"]].append({"values": row["values"]})
        kept.curves = {number: one for number, one in kept.curves.items() if number in newest}
        kept.curves |= {number: (newest[number], some) for number, some in found.items()}
        return True

    async def _read_observations(self, experiment: int, kept: _Kept) -> bool:
        """Observations of the core API, as if they were training runs."""
        rows = await self._store.do(lambda connection: _observations(connection, experiment, kept.last))
        for row in rows:
            kept.last, kept.runs[row["id"]] = row["id"], _observed(row)
        return bool(rows)


def _facts(connection: Connection, identifier: str) -> tuple[Row, WorkedOn]:
    row = experiment_store.get(connection, identifier)
    living = [one["holder"] for one in worker_store.of_experiment(connection, row["id"]) if one["expires"] > now()]
    return row, {**serializers.experiment(row, progress(connection, row)), "workers": living}


def _rows(connection: Connection, wanted: Any, most: int | None = None) -> list[Row]:
    query = select(*(training_runs.c[name] for name in READ)).where(wanted).order_by(training_runs.c.id)
    return [dict(zip(READ, row, strict=True)) for row in connection.execute(query.limit(most) if most else query)]


def _checkpoints(connection: Connection, wanted: set[int]) -> list[Row]:
    query = select(checkpoints.c.training_run, checkpoints.c["values"]).where(checkpoints.c.training_run.in_(wanted)).order_by(checkpoints.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _observations(connection: Connection, experiment: int, last: int) -> list[Row]:
    table = observations.c
    wanted = (table.experiment == experiment) & table.deleted.is_(False) & (table.id > last)
    return [dict(row) for row in connection.execute(select(observations).where(wanted).order_by(table.id)).mappings()]


def _shown(row: Row) -> TrainingRun:
    """A training run without its log, source code and the like. Its id is a number here."""
    data = row["data"]
    kept = {key: value for key, value in data["dev_metadata"].items() if key.startswith(PREFIX)}
    shown = {
        **{key: row[key] for key in ("id", "name", "state", "created", "completed", "checkpoint_count")},
        **{key: data[key] for key in ("assignments", "values", "metadata")},
        "dev_metadata": kept,
    }
    return cast(TrainingRun, shown)


def _observed(row: Row) -> TrainingRun:
    values: Mapping[str, Any] = {one["name"]: one for one in row["values"]}
    state = "failed" if row["failed"] else "completed"
    times = {"created": row["created"], "completed": row["created"]}
    own = {"assignments": row["assignments"], "values": values, "metadata": row["metadata"] or {}, "dev_metadata": {}}
    return cast(TrainingRun, {"id": row["id"], "name": "observation", "state": state, "checkpoint_count": 0, **times, **own})
