"""What pages keep of experiments is what the store has, whatever changes there, and an unchanged experiment keeps its version."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.pages.experiments import Seed
from trialflow.metadata_keys import REASON
from trialflow.service.errors import NotFound
from trialflow.service.pages import memory as memory_module
from trialflow.service.pages.memory import Memory
from trialflow.service.pages.overview import experiment_facts
from trialflow.service.store import Database, StoreThread
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import observations as observation_store
from trialflow.service.store import runs as run_store
from trialflow.service.store import workers as worker_store
from trialflow.service.store.database import sqlite_url
from trialflow.service.store.rows import now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreThread]:
    thread = StoreThread(Database(sqlite_url(tmp_path / "db" / "trialflow.db")))
    yield thread
    thread.close()


async def seeded(store: StoreThread, make: Callable[[Seed], Any]) -> Any:
    return await store.do(lambda connection: make(Seed(connection)))


async def test_everything_that_changes_is_seen_and_nothing_else_changes_the_version(store: StoreThread) -> None:
    one = await seeded(store, lambda seed: seed.mixed())
    memory, identifier = Memory(store), str(one["id"])
    first = await memory.of(identifier)
    assert len(first.runs) == 37 and first.with_checkpoints == 34
    assert (await memory.of(identifier)).version == first.version
    active = [number for number, run in first.runs.items() if run["state"] == "active"]

    async def changed(job: Callable[[Connection], Any], before: Any) -> Any:
        await store.do(job)
        after = await memory.of(identifier)
        assert after.version != before.version
        return after

    shown = await changed(lambda c: run_store.add_checkpoint(c, str(active[0]), [{"name": "accuracy", "value": 0.77}], None), first)
    assert shown.curves[active[0]][-1]["values"][0]["value"] == 0.77
    shown = await changed(lambda c: run_store.merge(c, str(active[0]), {"state": "failed", "dev_metadata": {REASON: "why"}}, replace=False), shown)
    assert shown.runs[active[0]]["state"] == "failed" and shown.points[-3].reason == "why"
    shown = await changed(lambda c: run_store.set_deleted(c, run_store.get(c, str(active[1])), True), shown)
    assert active[1] not in shown.runs
    shown = await changed(lambda c: experiment_store.set_body(c, experiment_store.get(c, identifier), {**one["body"], "budget": 99}), shown)
    assert shown.experiment["budget"] == 99
    shown = await changed(lambda c: experiment_store.archive(c, identifier, include_runs=True), shown)
    assert not shown.runs and experiment_facts(shown.experiment)["status"] == "archived"


async def test_many_training_runs_are_read_in_several_jobs_and_all_are_there(store: StoreThread, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await seeded(store, lambda seed: seed.large(120))
    monkeypatch.setattr(memory_module, "AT_ONCE", 50)
    shown = await Memory(store).of(str(one["id"]))
    assert len(shown.runs) == 120 and [point.number for point in shown.points] == list(range(1, 121))


async def test_who_works_on_an_experiment_is_known_while_the_lease_lives(store: StoreThread) -> None:
    one = await seeded(store, lambda seed: seed.experiment("worked on"))
    memory, identifier = Memory(store), str(one["id"])
    holder = {"host": "gpu-01", "pid": 4711, "since": 1.0}
    asked = {"token": "t", "holder": holder, "exclusive": True, "replaces": ()}
    await store.do(lambda c: worker_store.claim(c, one["id"], **asked, seconds=600, moment=float(now())))
    shown = await memory.of(identifier)
    assert shown.experiment["workers"] == [holder] and experiment_facts(shown.experiment)["status"] == "in progress"
    await store.do(lambda c: worker_store.renew(c, worker_store.of_experiment(c, one["id"])[0], seconds=-1, moment=float(now())))
    assert (await memory.of(identifier)).experiment["workers"] == []


async def test_observations_of_the_core_api_are_shown_as_results(store: StoreThread) -> None:
    def make(connection: Connection) -> int:
        seed = Seed(connection)
        body = {"name": "core", "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}]}
        one = experiment_store.create(seed.connection, kind="core", project=None, body=body)
        values = {"experiment": one["id"], "suggestion": None, "assignments": {"x": 0.5}, "created": now(), "deleted": False, "task": None}
        observation_store.create(connection, {**values, "values": [{"name": "m", "value": 2.0}], "failed": False})
        observation_store.create(connection, {**values, "values": [], "failed": True})
        return one["id"]

    shown = await Memory(store).of(str(await store.do(make)))
    assert [point.state for point in shown.points] == ["completed", "failed"] and shown.points[0].values == {"m": 2.0}


async def test_there_is_no_page_of_an_experiment_that_does_not_exist(store: StoreThread) -> None:
    for identifier in ("1", "x", "9" * 30):
        with pytest.raises(NotFound):
            await Memory(store).of(identifier)
