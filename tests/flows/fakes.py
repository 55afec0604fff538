"""A service and a compute in memory, for the loop: what happens is decided by the test, and nothing takes time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tasks.compute import Attempt, Exit, Report, Scope
from tasks.context import FlowContext, RunContext
from tasks.experiments.client import ServiceNotFound, ServiceRefused
from trialflow.home import Home
from trialflow.merging import merged
from trialflow.results.spending import NodeUse
from trialflow.specs import RunSpec

Answer = Callable[[Attempt], Awaitable[Exit] | Exit]
WELL = Exit(code=0)


class FakeService:
    """Keeps training runs of one experiment as the API has them. `points` is how many suggestions there are; `trouble` is raised by the next request
    of its name."""

    def __init__(self, *, budget: int | None = 10, bandwidth: int = 3, points: int | None = None, metrics: Sequence[str] = ("y",)) -> None:
        self.budget, self.bandwidth, self.points = budget, bandwidth, points
        self.metrics = [{"name": name, "strategy": "optimize"} for name in metrics]
        self.kept: dict[str, dict[str, Any]] = {}
        self.trouble: dict[str, list[Exception]] = {}

    @property
    def experiment(self) -> dict[str, Any]:
        states = [run["state"] for run in self.kept.values()]
        progress = {"finished_run_count": len(states) - states.count("active"), "active_run_count": states.count("active")}
        return {
            "id": "1", "name": "fake", "budget": self.budget, "parallel_bandwidth": self.bandwidth, "metrics": self.metrics, "progress": progress,
            "metadata": {},
        }  # fmt: skip

    def add(self, name: str, *, state: str = "active", **dev_metadata: Any) -> dict[str, Any]:
        run = {"id": str(len(self.kept) + 1), "name": name, "state": state, "assignments": {"x": len(self.kept)}, "dev_metadata": dev_metadata}
        self.kept[run["id"]] = {**run, "experiment": "1", "values": {}, "checkpoint_count": 0}
        return dict(self.kept[run["id"]])

    async def suggest_run(self, experiment_id: str, name: str) -> dict[str, Any]:
        self._raise("suggest_run")
        if self.points is not None and len(self.kept) >= self.points:
            raise ServiceRefused("space exhausted", status=400)
        return self.add(name)

    async def runs(self, project: str, *, experiment_id: str | None = None, filters: Any = None) -> list[dict[str, Any]]:
        wanted = filters[0]["value"] if filters else None
        return [dict(run) for run in self.kept.values() if wanted in (None, run["name"])]

    async def run(self, run_id: str) -> dict[str, Any]:
        self._raise("run")
        if run_id not in self.kept:
            raise ServiceNotFound(f"no training run {run_id}")
        return dict(self.kept[run_id])

    async def merge_run(self, run_id: str, body: Mapping[str, Any]) -> None:
        self._raise("merge_run")
        self.kept[run_id] = merged(self.kept[run_id], body)

    async def log_checkpoint(self, run_id: str, body: Mapping[str, Any]) -> None:
        self._raise("log_checkpoint")
        self.kept[run_id]["checkpoint_count"] += 1
        self.kept[run_id].setdefault("checkpoints", []).insert(0, body)

    async def checkpoints(self, run_id: str) -> list[Any]:
        return list(self.kept[run_id].get("checkpoints", []))

    def states(self) -> list[str]:
        return [run["state"] for run in self.kept.values()]

    def _raise(self, request: str) -> None:
        if self.trouble.get(request):
            raise self.trouble[request].pop(0)


class FakeCompute:
    """Executes nothing: `answer` says how an attempt ends, and what a model that ends well has logged is `values`.

    `most` is how many were in flight at once, `launched` which attempts there were, `stopped` which were stopped.
    `name` is that of the cluster that it is, if it is one.
    """

    def __init__(self, answer: Answer = lambda attempt: WELL, values: Mapping[str, float] | None = None) -> None:
        self.answer = answer
        self.values = {"y": 1.0} if values is None else values
        self.reports: Callable[[Attempt], Sequence[Report]] = lambda attempt: ()
        self.launched: list[tuple[str, int]] = []
        self.stopped: list[str] = []
        self.discarded: list[str] = []
        self.following: dict[str, asyncio.Event] = {}
        self.most = 0
        self.used_now: list[NodeUse] = []
        self.name: str | None = None

    async def launch(self, attempt: Attempt) -> None:
        self.launched.append((attempt.training_run_id, attempt.number))

    async def follow(self, attempt: Attempt, *, on_reports: Any, on_log: Any = None, on_pending: Any = None) -> Exit:
        stop = self.following[attempt.training_run_id] = asyncio.Event()
        self.most = max(self.most, len(self.following))
        try:
            await asyncio.sleep(0)
            await on_reports(self.reports(attempt))
            ended = self.answer(attempt)
            if isinstance(ended, Exit):
                exit = ended
            else:
                waiting, asked = asyncio.ensure_future(ended), asyncio.ensure_future(stop.wait())
                await asyncio.wait({waiting, asked}, return_when=asyncio.FIRST_COMPLETED)
                exit = Exit(stopped=True) if asked.done() else waiting.result()
                for one in (waiting, asked):
                    one.cancel()
            if exit == WELL and self.values:
                await on_reports([Report(1000, "merge", {"values": {name: {"value": value} for name, value in self.values.items()}})])
            return exit
        finally:
            del self.following[attempt.training_run_id]

    async def stop(self, attempt: Attempt, *, grace: float = 10.0) -> None:
        self.stopped.append(attempt.training_run_id)
        if attempt.training_run_id in self.following:
            self.following[attempt.training_run_id].set()

    async def discard(self, attempt: Attempt) -> None:
        self.discarded.append(attempt.training_run_id)

    def place(self, attempt: Attempt) -> str | None:
        return self.name and f"{self.name}/{attempt.training_run['name']}"

    def uses(self) -> list[NodeUse]:
        return list(self.used_now)

    def read_log(self, attempt: Attempt, *, last: int | None = None) -> bytes:
        return b"the last line\n"


class FakeComputes:
    """A place with one compute."""

    has_prices = True

    def __init__(self, compute: FakeCompute) -> None:
        self.compute = compute

    @asynccontextmanager
    async def open(self, scope: Scope) -> AsyncIterator[FakeCompute]:
        yield self.compute

    async def sweep(self, uid: str) -> None:
        """Nothing is left."""


def context_of(service: FakeService, compute: FakeCompute, *, run: dict[str, Any] | None = None, **more: Any) -> RunContext:
    """What the loop works with. `more` are fields of the `RunContext`."""
    spec = RunSpec.model_validate({"run": "true", **(run or {})})
    flow = FlowContext(Home(Path("/nowhere")), service, FakeComputes(compute), "p", spec, Path("/"), {})  # type: ignore[arg-type]
    return RunContext(flow, compute, **{"required": ("y",), "required_if_stopped": ("y",), **more})


class PlainChain:
    """Takes steps without Prefect; `again` says of which errors a step is tried once more."""

    again: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def __call__(self, step: str, label: str, call: Callable[[], Awaitable[Any]], *, failure: Any = None) -> Any:
        self.steps.append(f"{step} {label}")
        try:
            return await call()
        except self.again:
            return await call()


async def never(attempt: Attempt) -> Exit:
    """An attempt that goes on until it is stopped."""
    await asyncio.Event().wait()
    raise AssertionError
