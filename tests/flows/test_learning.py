"""The order of an experiment that learns: the last best again, the earlier results, the search, and both once more in the end."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from flows import learning, working
from flows.working import Effort, Work
from tasks.compute import Attempt, Exit, Report
from tasks.experiments.client import ServiceClient, ServiceNotFound
from tasks.experiments.worker_lease import WorkerLease
from tests.flows.fakes import WELL, FakeCompute, PlainChain, context_of
from tests.flows.test_working import Shared
from trialflow.events import Event, watcher
from trialflow.home import Home
from trialflow.metadata_keys import EARLIER, LEARNS_FROM, VERDICT, WINNER
from trialflow.results.facts import is_known

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 100}}
METRIC = {"name": "y", "strategy": "optimize", "objective": "maximize"}


class Service(Shared):
    """An experiment, 2, that learns from another, 1, of which the training runs are `before`."""

    def __init__(self, before: list[dict[str, Any]], *, budget: int = 12, bandwidth: int = 1) -> None:
        super().__init__(budget=budget, bandwidth=bandwidth)
        self.before, self.queue, self.metadata = before, [], {LEARNS_FROM: "1"}
        self.parameters = [X]

    @property
    def facts(self) -> dict[str, Any]:
        own = [run["state"] for run in self.kept.values() if not is_known(run)]
        progress = {"finished_run_count": len(own) - own.count("active"), "active_run_count": own.count("active")}
        more = {"id": "2", "parameters": self.parameters, "metrics": [METRIC], "metadata": self.metadata, "progress": progress, "project": "p"}
        return {**super().facts, **more}

    async def experiment(self, identifier: str) -> dict[str, Any]:
        if identifier == "2":
            return self.facts
        if not self.before:
            raise ServiceNotFound("gone")
        return {"id": "1", "parameters": [X], "metrics": [METRIC], "metadata": {}, "project": "p"}

    async def runs(self, project: str, *, experiment_id: str | None = None, filters: Any = None) -> list[dict[str, Any]]:
        return self.before if experiment_id == "1" else await super().runs(project, experiment_id=experiment_id, filters=filters)

    async def suggest_run(self, experiment_id: str, name: str) -> dict[str, Any]:
        given = self.queue.pop(0) if self.queue else {"x": 50 + len(self.kept)}
        run = self.add(name)
        self.kept[run["id"]]["assignments"] = given
        return {**run, "assignments": given}

    async def request(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        if path[-1] == "queued_suggestions":
            self.queue.append((body or {})["assignments"])
            return {}
        if path[-1] == "training_runs":
            made = self.add(cast(Mapping, body)["name"])
            self.kept[made["id"]] |= dict(body or {})
            return {}
        return await super().request(method, *path, body=body)

    async def pages(self, *path: str, query: Any = None) -> AsyncIterator[dict[str, Any]]:
        for one in list(self.queue):
            yield {"assignments": one}

    async def update_experiment(self, identifier: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.metadata = dict(body["metadata"])
        return self.facts

    def tried(self) -> list[float]:
        return [run["assignments"]["x"] for run in self.kept.values() if not is_known(run)]


class Pages:
    """Keeps the pages that are shown."""

    shown: dict[str, str] = {}

    def __init__(self, *_: Any, **__: Any) -> None:
        self.ledger = None
        self.key = "fake"

    def observed(self) -> None:
        pass

    async def show(self, name: str, page: str) -> None:
        self.shown[name] = page


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "LOOK_SECONDS", 0)
    monkeypatch.setattr(working, "ArtifactReporter", Pages)
    monkeypatch.setattr(Pages, "shown", {})


def earlier(*measured: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "name": f"run-{n}", "experiment": "1", "state": "completed", "assignments": {"x": x}, "values": {"y": {"value": y}}}
        for n, (x, y) in enumerate(measured, 1)
    ]


class Model(FakeCompute):
    """Its metric is `value(x, how often x was tried before)`; None fails."""

    def __init__(self, value: Any) -> None:
        super().__init__(values={})
        self.value, self.seen = value, []
        self.answer = self._answer
        self.reports = self._reports

    def _answer(self, attempt: Attempt) -> Exit:
        return WELL if self.value(attempt.training_run["assignments"]["x"], 0) is not None else Exit(code=1)

    def _reports(self, attempt: Attempt) -> list[Report]:
        x = attempt.training_run["assignments"]["x"]
        value = self.value(x, self.seen.count(x))
        self.seen.append(x)
        return [] if value is None else [Report(1000, "merge", {"values": {"y": {"value": float(value)}}})]


async def work_of(service: Service, compute: FakeCompute, tmp_path: Path) -> Work:
    context = context_of(service, compute).flow  # type: ignore[arg-type]
    context = type(context)(**{**context.__dict__, "home": Home(tmp_path / "home")})
    lease = WorkerLease(cast(ServiceClient, service), Home(Path("/nowhere")), "2", "7")
    work = Work(context, compute, service.facts, lease, Effort(canary=False), PlainChain)
    await work.begin("create")
    return work


async def test_the_champion_comes_first_the_search_knows_the_past_and_both_are_repeated_in_the_end(tmp_path: Path) -> None:
    service = Service(earlier((10.0, 1.0), (20.0, 2.0), (30.0, 1.5)), budget=20)
    compute = Model(lambda x, times: (1.0 if x == 20.0 else x / 100) + times / 100)
    told: list[Event] = []
    watcher.set(told.append)
    verdict = await learning.work_to_the_end(await work_of(service, compute, tmp_path))
    tried = service.tried()
    assert len(tried) == 20 and tried[:2] == [20.0, 20.0]
    kinds = ["known" if is_known(run) else "tried" for run in service.kept.values()]
    assert kinds == ["tried"] * 2 + ["known"] * 3 + ["tried"] * 18, "earlier results are taught once the champion was measured"
    assert all(run["dev_metadata"][EARLIER] == 1 for run in service.kept.values() if is_known(run))
    best = max(x for x in tried if x != 20.0)
    assert sorted(tried[-4:]) == [20.0, 20.0, best, best]
    assert verdict is not None and verdict.better == "champion" and verdict.winner.assignments == {"x": 20.0}
    assert service.metadata[VERDICT] == verdict.sentence() and service.metadata[WINNER] == verdict.winner.training_run
    assert "3 of 3 earlier results" in Pages.shown["earlier-results"] and "champion and challenger" in Pages.shown["verdict"]
    (event,) = [one for one in told if one.kind == "verdict"]
    assert json.dumps(event.facts) and Path(event.facts["run_file"]).exists()


async def test_an_exact_model_is_not_repeated_and_a_better_challenger_wins(tmp_path: Path) -> None:
    service = Service(earlier((10.0, 1.0)), budget=20)
    verdict = await learning.work_to_the_end(await work_of(service, Model(lambda x, times: x), tmp_path))
    assert service.tried().count(10.0) == 2 and len(set(service.tried())) == 19
    assert verdict is not None and verdict.better == "challenger" and verdict.is_clear


@pytest.mark.parametrize("after", [1, 2, 4, 10, 17, 19])
async def test_work_that_is_killed_at_any_point_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    service = Service(earlier((10.0, 1.0), (20.0, 2.0)), budget=20)
    compute = Model(lambda x, times: x + times / 100)
    service.trouble = {"suggest_run": []}
    original = service.suggest_run

    async def dies(experiment_id: str, name: str) -> dict[str, Any]:
        if len(service.tried()) == after:
            raise RuntimeError("killed")
        return await original(experiment_id, name)

    service.suggest_run = dies  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await learning.work_to_the_end(await work_of(service, compute, tmp_path))
    service.suggest_run = original  # type: ignore[method-assign]
    verdict = await learning.work_to_the_end(await work_of(service, compute, tmp_path))
    tried = service.tried()
    assert len(tried) == 20 and tried.count(20.0) == 4 and sorted(tried.count(x) for x in set(tried))[-2:] == [3, 4]
    assert sum(is_known(run) for run in service.kept.values()) == 2 and verdict is not None


async def test_a_champion_that_fails_today_teaches_nothing_and_the_challenger_is_taken(tmp_path: Path) -> None:
    service = Service(earlier((10.0, 1.0)), budget=10)
    verdict = await learning.work_to_the_end(await work_of(service, Model(lambda x, times: None if x == 10.0 else x), tmp_path))
    assert not any(is_known(run) for run in service.kept.values()) and len(service.tried()) == 10
    assert verdict is not None and verdict.better == "challenger" and "could not be measured" in verdict.sentence()


async def test_where_nothing_is_known_the_whole_budget_is_a_search(tmp_path: Path) -> None:
    service = Service([], budget=9)
    assert await learning.work_to_the_end(await work_of(service, Model(lambda x, times: x), tmp_path)) is None
    assert len(set(service.tried())) == 9 and "is gone" in Pages.shown["earlier-results"]


async def test_an_experiment_that_learns_from_none_just_works(tmp_path: Path) -> None:
    service = Service(earlier((10.0, 1.0)), budget=9)
    service.metadata = {}
    assert await learning.work_to_the_end(await work_of(service, Model(lambda x, times: x), tmp_path)) is None
    assert 10.0 not in service.tried() and Pages.shown == {}
