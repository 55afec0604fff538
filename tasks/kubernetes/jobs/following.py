"""Following one attempt to its end: its pod by the watch, its log, and why it does not start."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.compute import Attempt, Exit, Report
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterError, ClusterRefused, ClusterUnavailable, Missing
from tasks.kubernetes.client.requests import ask, has_condition, listed
from tasks.kubernetes.jobs import ending
from tasks.kubernetes.jobs.log_folder import KeptFolder, LogWriter
from tasks.kubernetes.jobs.log_reader import LogReader
from tasks.kubernetes.jobs.pending import pending_reason
from tasks.kubernetes.jobs.pod_template import job_name
from tasks.kubernetes.jobs.starting import CannotStart, hopeless
from tasks.kubernetes.jobs.watching import PodWatch

Pod = Mapping[str, Any]
WITHOUT_POD_SECONDS = 5.0
"""After so long without a pod its Job is asked for the reason; then again after twice as long, and so on."""
LOG_SECONDS = 20.0
"""How long the rest of a log may take once its container has ended."""
LOG_OF_A_LOST_NODE_SECONDS = 5.0
"""The same where Kubernetes does not know that it has: its node is gone, and most likely what it would have said."""
DOUBT_SECONDS = 5.0


class Following:
    """One attempt being followed. `end` waits for its end; `close` frees what that needed.

    `is_told` says that the end is known from the launcher alone, a little before Kubernetes says it: `let_go` has then to be awaited sometime.
    `on_started` gets the pod once it runs.
    `start_otherwise` starts an image in another way that cannot be started in this one; it returns whether there is one.
    """

    def __init__(
        self,
        connection: Connection,
        watch: PodWatch,
        folder: KeptFolder,
        attempt: Attempt,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None,
        on_pending: Callable[[str], None] | None,
        start_otherwise: Callable[[Pod], Awaitable[bool]],
        on_started: Callable[[Pod], Awaitable[None]] | None = None,
    ) -> None:
        self.is_told = False
        self._connection = connection
        self._watch = watch
        self._folder = folder
        self._attempt = attempt
        self._name = job_name(attempt)
        self._on_reports = on_reports
        self._on_log = on_log
        self._on_pending = on_pending
        self._start_otherwise = start_otherwise
        self._on_started = on_started
        self._reader: LogReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._seen = 0
        self._told_reason = ""

    async def end(self) -> Exit:
        """How the attempt ended. Raises `CannotStart` if its pod never will as it is asked for."""
        wait = WITHOUT_POD_SECONDS
        while True:
            pod, is_gone, reason = self._watch.pod(self._name), self._watch.is_gone(self._name), None
            if pod is None:
                if (ended := await self._without_pod(wait)) is not None:
                    return ended
            elif ending.has_started(pod):
                if self._reader is None and self._on_started:
                    await self._on_started(pod)
                self._start_reading(pod)
            elif not is_gone:
                if (problem := hopeless(pod)) is not None:
                    raise CannotStart(f"training run {self._attempt.training_run_id} cannot be started: {problem.message}", hint=problem.hint)
                reason = pending_reason(pod)
            if self._reader is not None and self._reader.has_ended_by_itself and not self._folder.was_stopped():
                self.is_told = True
                return Exit(**{name: value for name, value in (self._reader.facts or {}).items() if name in ending.FACTS})
            if pod is not None and await self._exit_of(pod, is_gone) is not None:
                if not self._folder.was_stopped() and await self._start_otherwise(pod):
                    self._reader = self._reading = None
                    continue
                await self._read_rest(pod)
                # Only now is it known whether a launcher was in there.
                return self._final(pod, await self._exit_of(pod, is_gone) or Exit(lost="its pod is gone"))
            is_new = bool(reason) and reason != self._told_reason
            within = wait if pod is None else DOUBT_SECONDS if ending.is_in_doubt(pod) or is_new else None
            now = await self._changed(within)
            if self._on_pending and reason and is_new and now == self._seen:  # what passes by itself is not worth a word
                self._told_reason = reason
                self._on_pending(reason)
            wait = wait * 2 if pod is None and now == self._seen else WITHOUT_POD_SECONDS
            self._seen = now

    async def let_go(self) -> None:
        """Let a stream end by itself whose content is known: its connection can be used again."""
        if self._reader is not None and self._reading is not None:
            self._reader.end()
            await asyncio.wait({self._reading}, timeout=LOG_SECONDS)
            await _cancelled(self._reading)

    async def close(self) -> None:
        """Give up reading, unless it is let go."""
        if self._reading is not None and not self.is_told:
            await _cancelled(self._reading)

    def _start_reading(self, pod: Pod) -> None:
        if self._reader is None:
            self._reader = LogReader(
                self._connection,
                pod,
                patterns=self._attempt.patterns,
                writer=LogWriter(self._folder),
                on_reports=self._on_reports,
                on_log=self._on_log,
                on_end=lambda: self._watch.wake(self._name),
            )
            self._reading = asyncio.create_task(self._reader.read(), name=f"log-{self._name}")

    async def _changed(self, within: float | None) -> int:
        """Wait for news of the pod; a reader that fails (the service is away) is news as well."""
        if self._reading is None or self._reading.done():
            if self._reading is not None:
                self._reading.result()
            return await self._watch.change(self._name, self._seen, within)
        news = asyncio.ensure_future(self._watch.change(self._name, self._seen, within))
        try:
            await asyncio.wait({news, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            if self._reading.done():
                self._reading.result()
            return await news
        finally:
            news.cancel()

    async def _exit_of(self, pod: Pod, is_gone: bool) -> Exit | None:
        is_node_gone = not is_gone and ending.is_in_doubt(pod) and ending.exit_of(pod) is None and not await self._has_node(pod)
        has_launcher = self._reader is not None and self._reader.may_have_launcher
        return ending.exit_of(pod, is_gone=is_gone, is_node_gone=is_node_gone, has_launcher=has_launcher)

    async def _has_node(self, pod: Pod) -> bool:
        name = ending.node_of(pod)
        if not name:
            return True
        try:
            return has_condition(await ask(self._connection, "GET", f"/api/v1/nodes/{name}", what=f"look at node {name}"), "Ready")
        except Missing:
            return False
        except (ClusterRefused, ClusterUnavailable):
            return True  # not to be known: the pod's deletion will say

    async def _without_pod(self, wait: float) -> Exit | None:
        """No pod was seen yet: if that lasts, is its Job still there, and has it not had one that is gone?"""
        if self._folder.was_stopped():
            return Exit(stopped=True)
        if await self._watch.change(self._name, self._seen, wait) != self._seen or self._watch.pod(self._name) is not None:
            return None
        path = f"/apis/batch/v1/namespaces/{self._connection.namespace}/jobs/{self._name}"
        try:
            found = await ask(self._connection, "GET", path, what=f"look at Job {self._name}")
        except Missing:
            return Exit(stopped=True) if self._folder.was_stopped() else Exit(lost="its Job was deleted")
        conditions = {one["type"] for one in (found.get("status") or {}).get("conditions") or [] if one["status"] == "True"}
        if conditions & {"Failed", "Complete"} and self._watch.pod(self._name) is None:
            return Exit(lost="its pod was deleted")
        if self._on_pending:
            with contextlib.suppress(ClusterError):  # a reason is good to have, no more
                self._on_pending(await self._reason_without_pod() or "waiting for its pod to be made")
        return None

    async def _reason_without_pod(self) -> str | None:
        path = f"/api/v1/namespaces/{self._connection.namespace}/events"
        fields = f"involvedObject.kind=Job,involvedObject.name={self._name}"
        return pending_reason(None, await listed(self._connection, path, what="list events", fields=fields))

    async def _read_rest(self, pod: Pod) -> None:
        if self._reader is not None and self._reading is not None:
            self._reader.end()
            within = LOG_SECONDS if ending.has_ended(pod) else LOG_OF_A_LOST_NODE_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reading), within)
            if not self._reading.done():
                await _cancelled(self._reading)
            if self._reader.is_complete and self._reader.facts is not None:
                return
        # The log is not whole: the last values are in the termination message as well.
        if values := ending.told_values(pod):
            await self._on_reports([Report(1 << 40, "merge", {"values": {name: {"value": value} for name, value in values.items()}})])

    def _final(self, pod: Pod, ended: Exit) -> Exit:
        facts = self._reader.facts if self._reader else None
        if facts is not None and ending.told(pod) is None and ended.lost is None:
            ended = replace(ended, **{name: value for name, value in facts.items() if name in ending.FACTS})
        if self._reader and self._reader.complaint:
            ended = replace(ended, complaint=self._reader.complaint)
        if ended.lost is not None and self._folder.was_stopped():
            known = facts or ending.told(pod) or {}
            return replace(ended, lost=None, stopped=True, code=known.get("code"), signal=known.get("signal"))
        return ended


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
