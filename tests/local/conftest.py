"""A local compute in a folder of its own, and a shorter way to execute commands on it."""

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Attempt, Exit, Report
from tasks.local import LocalCompute
from tasks.local.orphans import kill_leftovers

PYTHON = sys.executable


class Bench:
    """Launches and follows commands, and remembers what was reported and printed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.compute = LocalCompute(root / "runs", api_url="http://127.0.0.1:9", issue=self.issue)
        self.attempts: list[Attempt] = []
        self.reports: list[Report] = []

    async def issue(self, attempt: Attempt) -> str:
        return f"the real token of {attempt.training_run_id}"

    def attempt(self, *command: str, number: int = 1, identifier: int = 1, assignments: dict | None = None, **more: Any) -> Attempt:
        run = {"id": str(identifier), "name": f"run-{identifier}", "assignments": assignments or {}, "state": "active"}
        attempt = Attempt(run, number, command, "tests", directory=self.root, **more)
        self.attempts.append(attempt)
        return attempt

    async def take(self, reports: Sequence[Report]) -> None:
        self.reports += reports

    async def follow(self, attempt: Attempt) -> Exit:
        return await self.compute.follow(attempt, on_reports=self.take)

    async def execute(self, *command: str, **more: Any) -> Exit:
        attempt = self.attempt(*command, **more)
        await self.compute.launch(attempt)
        return await self.follow(attempt)

    def printed(self) -> str:
        return self.compute.read_log(self.attempts[-1]).decode()

    def values(self) -> dict[str, float]:
        return {name: value["value"] for report in self.reports for name, value in report.body.get("values", {}).items() if report.kind == "merge"}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for attempt in bench.attempts:
        await bench.compute.stop(attempt, grace=0.1)
        kill_leftovers(bench.compute.folder(attempt))
