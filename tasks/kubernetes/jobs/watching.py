"""One watch over all pods of one experiment: what Kubernetes says of them, as it says it. No polling."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterUnavailable, Expired
from tasks.kubernetes.client.labels import selector
from tasks.kubernetes.client.requests import ask, streamed

Json = Mapping[str, Any]
JOB_NAME = "batch.kubernetes.io/job-name"
SILENCE_SECONDS = 100.0
"""A bookmark comes about every minute: after so long a silence the connection is dead."""
WATCH_SECONDS = 3000
DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
PATIENCE_SECONDS = 900.0
"""For so long a cluster that does not answer is waited for."""


class PodWatch:
    """The pods with given labels, by the name of their Job. Open while it is used (`async with`).

    `pod` is the newest pod of a Job as it was last; `is_gone` says that it was deleted. `change` waits for news of one Job. The watch goes on by
    itself after a break, and lists anew where the API server has forgotten (410). When that fails for good, `change` raises why.
    `on_trouble` is told, in a sentence, when the cluster stops to answer.
    """

    def __init__(
        self,
        connection: Connection,
        labels: Mapping[str, str],
        *,
        on_trouble: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._selector = selector(labels)
        self._path = f"/api/v1/namespaces/{connection.namespace}/pods"
        self._on_trouble = on_trouble
        self._sleep = sleep
        self._pods: dict[str, Json] = {}
        self._gone: set[str] = set()
        self._news: dict[str, asyncio.Event] = {}
        self._counts: dict[str, int] = {}
        self._version: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def __aenter__(self) -> "PodWatch":
        await self._list()
        self._task = asyncio.create_task(self._follow(), name="pod-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def pod(self, job: str) -> Json | None:
        """The newest pod of a Job; None if it has had none that was seen."""
        return self._pods.get(job)

    def is_gone(self, job: str) -> bool:
        """Whether that pod was deleted."""
        return job in self._gone

    def forget(self, job: str) -> None:
        """Free the memory of a Job that is over."""
        for kept in (self._pods, self._news, self._counts):
            kept.pop(job, None)
        self._gone.discard(job)

    @property
    def present(self) -> dict[str, Json]:
        """The pods that are there now, by their Job."""
        return {job: pod for job, pod in self._pods.items() if job not in self._gone}

    async def change(self, job: str, seen: int, within: float | None = None) -> int:
        """Wait until there is more news of a Job's pod than the `seen` that the last call returned (0 at first), for `within` seconds at most.

        Returns how much there is now. Raises `ClusterError` if the watch has failed for good.
        """
        if self._counts.get(job, 0) == seen and not self._error:
            try:
                async with asyncio.timeout(within):
                    await self._news.setdefault(job, asyncio.Event()).wait()
            except TimeoutError:
                pass
        if self._error:
            raise self._error
        return self._counts.get(job, 0)

    def wake(self, job: str) -> None:
        """Have whoever waits for news of a Job look again."""
        self._counts[job] = self._counts.get(job, 0) + 1
        if event := self._news.pop(job, None):
            event.set()

    async def _follow(self) -> None:
        failures, silent_since = 0, None
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if self._version is None:
                    await self._list()
                failures, silent_since = 0, None
                await self._stream()
            except Expired:
                self._version = None
            except ClusterUnavailable as error:
                silent_since = silent_since or clock()
                if clock() - silent_since > PATIENCE_SECONDS:
                    self._fail(error)
                    return
                if failures == 2:
                    self._on_trouble(f"{error.message}; trying again")
                await self._sleep(DELAYS[min(failures, len(DELAYS) - 1)])
                failures += 1
                self._version = None  # what happened meanwhile is in the next list
            except Exception as error:
                self._fail(error)
                return

    async def _list(self) -> None:
        found = await ask(self._connection, "GET", self._path, what="list pods", query={"labelSelector": self._selector})
        present = set()
        for pod in found.get("items") or []:
            present.add(self._take(pod))
        for job in set(self._pods) - present - self._gone:
            self._gone.add(job)
            self.wake(job)
        self._version = found["metadata"]["resourceVersion"]

    async def _stream(self) -> None:
        query = {
            "labelSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": WATCH_SECONDS,
        }
        async with streamed(self._connection, self._path, what="watch pods", query=query, silence=SILENCE_SECONDS) as lines:
            async for line in lines:
                event = json.loads(line)
                kind, thing = event["type"], event["object"]
                if kind == "ERROR":
                    if thing.get("code") == 410:
                        self._version = None
                        return
                    raise ClusterUnavailable(f"the watch of pods was ended by the API server: {thing.get('message')}")
                self._version = thing["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    self._take(thing, is_gone=kind == "DELETED")

    def _take(self, pod: Json, *, is_gone: bool = False) -> str:
        job = (pod["metadata"].get("labels") or {}).get(JOB_NAME) or pod["metadata"]["name"]
        before = self._pods.get(job)
        if before is not None and before["metadata"]["uid"] != pod["metadata"]["uid"]:
            if before["metadata"]["creationTimestamp"] > pod["metadata"]["creationTimestamp"]:
                return job  # an older one of the same Job
        self._pods[job] = pod
        (self._gone.add if is_gone else self._gone.discard)(job)
        self.wake(job)
        return job

    def _fail(self, error: Exception) -> None:
        self._error = error
        for event in self._news.values():
            event.set()
