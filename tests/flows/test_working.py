"""Work under a lease: budget that others have taken, training runs of workers that are gone, a lease that is lost."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from flows import working
from flows.working import Effort, Work
from tasks.experiments.client import LeaseLost, ServiceClient, ServiceRefused
from tasks.experiments.worker_lease import WorkerLease
from tests.flows.fakes import WELL, FakeCompute, FakeService, PlainChain, context_of, never
from trialflow.home import Home
from trialflow.metadata_keys import REASON, STOPPED_BY_USER


class Shared(FakeService):
    """A service with leases. Training runs in `others` are those of another worker, which lives until `is_other_gone`."""

    url = "http://service"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.others: set[str] = set()
        self.is_other_gone = False
        self.renewals = 0
        self.is_lost = False
        self.stop = False
        self.stopped_runs: list[str] = []

    async def suggest_run(self, experiment_id: str, name: str) -> dict[str, Any]:
        if self.is_lost:
            raise LeaseLost("taken over")
        if self.budget is not None and len(self.kept) >= self.budget:
            raise ServiceRefused("spent or in flight", status=409)
        return await super().suggest_run(experiment_id, name)

    async def request(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        if path[-1] == "adopt":
            mine = [one for one in (body or {})["training_runs"] if self.is_other_gone or one not in self.others]
            return {"training_runs": mine}
        if method == "PUT":
            self.renewals += 1
            if self.is_lost:
                raise LeaseLost("taken over")
            return {"stop": self.stop, "stopped_runs": self.stopped_runs}
        return {"data": []}

    async def experiment(self, identifier: str) -> dict[str, Any]:  # type: ignore[override]
        return self.facts

    async def best_runs(self, experiment_id: str) -> list[Any]:
        return []

    @property
    def facts(self) -> dict[str, Any]:
        return FakeService.experiment.fget(self)  # type: ignore[misc]


class Quiet:
    """Shows nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.ledger = None

    def observed(self) -> None:
        pass


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "LOOK_SECONDS", 0)
    monkeypatch.setattr(working, "ArtifactReporter", Quiet)


async def work_of(service: Shared, compute: FakeCompute, **effort: Any) -> Work:
    context = context_of(service, compute).flow
    lease = WorkerLease(cast(ServiceClient, service), Home(Path("/nowhere")), "1", "7")
    work = Work(context, compute, service.facts, lease, Effort(canary=False, **effort), PlainChain)
    await work.begin("join")
    return work


async def test_one_that_finds_the_budget_taken_finishes_its_own_and_waits_for_the_others() -> None:
    service, compute = Shared(budget=4), FakeCompute()
    other = service.add("run-other000")
    service.others.add(other["id"])
    looked = 0

    async def runs(*args: Any, **more: Any) -> list[dict[str, Any]]:
        nonlocal looked
        looked += 1
        if looked == 6:
            service.kept[other["id"]]["state"] = "completed"
        return await FakeService.runs(service, *args, **more)

    service.runs = runs  # type: ignore[method-assign]
    await (await work_of(service, compute)).to_the_end()
    assert service.states() == ["completed"] * 4 and other["id"] not in [identifier for identifier, _ in compute.launched]


async def test_what_a_worker_that_is_gone_has_left_is_executed_once() -> None:
    service, compute = Shared(budget=3), FakeCompute()
    other = service.add("run-other000")
    service.others.add(other["id"])

    async def ends_then_is_gone(attempt: Any) -> Any:
        service.is_other_gone = len(compute.launched) >= 2
        return WELL

    compute.answer = ends_then_is_gone
    await (await work_of(service, compute)).to_the_end()
    assert service.states() == ["completed"] * 3
    assert sorted(identifier for identifier, _ in compute.launched) == ["1", "2", "3"]


async def test_a_budget_that_is_raised_meanwhile_is_spent() -> None:
    service, compute = Shared(budget=2), FakeCompute()

    def raises(attempt: Any) -> Any:
        service.budget = 5
        return WELL

    compute.answer = raises
    await (await work_of(service, compute)).to_the_end()
    assert service.states() == ["completed"] * 5


async def test_a_lease_that_is_lost_ends_the_work_and_leaves_what_is_in_flight() -> None:
    service, compute = Shared(budget=4, bandwidth=2), FakeCompute(never)
    work = await work_of(service, compute)
    keeping = asyncio.create_task(work.lease.keep(lambda: None, seconds=0))
    ending = asyncio.create_task(work.to_the_end())
    while len(compute.following) < 2:
        await asyncio.sleep(0)
    service.is_lost = True
    with pytest.raises(LeaseLost, match="has taken over experiment 1"):
        await ending
    await keeping
    assert service.states() == ["active"] * 2 and service.renewals


async def test_cancelled_it_stops_what_is_in_flight_whether_or_not_it_has_a_lease() -> None:
    service, compute = Shared(budget=4, bandwidth=2), FakeCompute(never)
    work = await work_of(service, compute)
    ending = asyncio.create_task(work.to_the_end())
    while len(compute.following) < 2:
        await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert sorted(compute.stopped) == ["1", "2"] and not work.lease.lost.done()


async def test_a_worker_that_is_asked_to_stop_is_told() -> None:
    service, asked = Shared(), asyncio.Event()
    service.stop = True
    lease = WorkerLease(cast(ServiceClient, service), Home(Path("/nowhere")), "1", "7")
    keeping = asyncio.create_task(lease.keep(asked.set, seconds=0))
    await asked.wait()
    keeping.cancel()


async def test_a_training_run_that_the_user_stops_ends_as_failed_and_the_others_go_on() -> None:
    service = Shared(budget=3, bandwidth=2)
    ended: list[str] = []

    async def first_one_never(attempt: Any) -> Any:
        if attempt.training_run_id == "1":
            await asyncio.Event().wait()
        while "1" not in compute.following:
            await asyncio.sleep(0)
        ended.append(attempt.training_run_id)
        if len(ended) == 2:  # all but it are through
            service.kept["1"] |= {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}}
            service.stopped_runs = ["1", "2"]
        return WELL

    compute = FakeCompute(first_one_never)
    work = await work_of(service, compute)
    keeping = asyncio.create_task(work.lease.keep(lambda: None, seconds=0))
    await work.to_the_end()
    keeping.cancel()
    assert service.states() == ["failed", "completed", "completed"]
    assert set(compute.stopped) == {"1"} and compute.launched == [("1", 1), ("2", 1), ("3", 1)]
    assert service.kept["1"]["dev_metadata"][REASON] == STOPPED_BY_USER
