"""Training runs on any compute, as its contract executes them, and what models say that need nothing but Python's standard library."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from tasks.compute import Attempt, Compute, Exit, Report

SPEAKS = """
import base64, http.client, json, os, urllib.parse

connection = http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["SIGOPT_API_URL"]).netloc)
token = base64.b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode()

def say(method, body, path="", authorization="Basic " + token):
    headers = {"Authorization": authorization, "X-Response-Content": "skip"}
    connection.request(method, "/v1/training_runs/" + os.environ["SIGOPT_RUN_ID"] + path, body and json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, text and json.loads(text.decode())
"""
"""The beginning of a model that speaks the SigOpt API to its launcher without the client: `say(method, body)` returns status and answer."""


class Field:
    """Executes commands on computes of one place. `another` gives a compute of that place, as another process would have it.

    `patience` is how long a training run that takes no time may take from launch to end, in seconds.
    """

    def __init__(self, another: Callable[[], Compute], patience: float) -> None:
        self.another = another
        self.compute = another()
        self.patience = patience
        self.attempts: list[Attempt] = []

    def attempt(self, *command: str, number: int = 1, assignments: dict[str, Any] | None = None, **more: Any) -> Attempt:
        """One attempt of a new training run."""
        name = "run-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(8))
        run = {"id": str(secrets.randbelow(10**9) + 1), "name": name, "assignments": assignments or {}, "state": "active"}
        return self.remember(Attempt(run, number, command, "contract", **more))

    def remember(self, attempt: Attempt) -> Attempt:
        """Have it ended when the test is over."""
        self.attempts.append(attempt)
        return attempt

    async def execute(self, *command: str, **more: Any) -> "Course":
        """Attempt a command as a new training run and follow it to its end."""
        return await self.take(self.attempt(*command, **more))

    async def take(self, attempt: Attempt) -> "Course":
        """Attempt or adopt it, and follow it to its end."""
        async with asyncio.timeout(self.patience):
            await self.compute.launch(attempt)
        return await self.follow(attempt)

    async def follow(self, attempt: Attempt, compute: Compute | None = None) -> "Course":
        """Follow it to its end, with another compute if given."""
        course = Course(compute or self.compute, attempt)
        await course.follow(self.patience)
        return course

    async def end(self) -> None:
        """Leave nothing running."""
        await asyncio.gather(*(self.compute.stop(attempt, grace=0.1) for attempt in self.attempts))


class Course:
    """One attempt as one follower sees it: what was reported, what was printed, how it ended."""

    def __init__(self, compute: Compute, attempt: Attempt) -> None:
        self.compute = compute
        self.attempt = attempt
        self.reports: list[Report] = []
        self.streamed = b""
        self.news = asyncio.Event()
        self._exit: Exit | None = None

    async def follow(self, patience: float) -> None:
        """Follow to the end."""
        async with asyncio.timeout(patience):
            self._exit = await self.compute.follow(self.attempt, on_reports=self._take, on_log=self._hear)

    async def until(self, fact: Callable[[], bool], patience: float) -> None:
        """Wait until `fact` is true of what was reported or printed."""
        async with asyncio.timeout(patience):
            while not fact():
                self.news.clear()
                await self.news.wait()

    @property
    def exit(self) -> Exit:
        """How it ended."""
        assert self._exit is not None, "it has not been followed to its end"
        return self._exit

    @property
    def printed(self) -> bytes:
        """What the compute has kept of what it printed."""
        return self.compute.read_log(self.attempt)

    @property
    def bodies(self) -> list[Any]:
        """What was reported, one after the other."""
        return [report.body for report in self.reports]

    def values(self, metric: str) -> list[float]:
        """Every value of a metric that was reported, one after the other."""
        merges = [report.body.get("values", {}) for report in self.reports if report.kind == "merge"]
        return [values[metric]["value"] for values in merges if values.get(metric)]

    async def _take(self, reports: Sequence[Report]) -> None:
        self.reports += reports
        self.news.set()

    def _hear(self, chunk: bytes) -> None:
        self.streamed += chunk
        self.news.set()
