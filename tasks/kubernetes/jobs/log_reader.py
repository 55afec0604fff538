"""Reading a pod's log to its end over a connection that may break: text to the file and the screen, reports to the service, facts to the judge."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tasks.compute import Report
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, ClusterUnavailable, Missing
from tasks.kubernetes.client.labels import CONTAINER
from tasks.kubernetes.client.requests import streamed
from tasks.kubernetes.jobs.ending import has_old_marks, mark_prefix
from tasks.kubernetes.jobs.log import News, PodLog
from tasks.kubernetes.jobs.log_folder import LogWriter
from tasks.kubernetes.jobs.printed import TimedPatterns

CHUNK = 1 << 18
DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0)


class LogReader:
    """Reads one pod's log once its container has started.

    `on_reports` gets the reports in order from the first; `on_log` what the model printed; `on_end` is called when the launcher told the end,
    which is a second or so before Kubernetes does. Where no launcher was in the pod, `patterns` are searched
    here. After `read`, `facts` is what the launcher said of the end (None if it said nothing) and `is_complete` says that no report is missing.
    """

    def __init__(
        self,
        connection: Connection,
        pod: Mapping[str, Any],
        *,
        patterns: Mapping[str, str],
        writer: LogWriter,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._pod = pod["metadata"]["name"]
        self._path = f"/api/v1/namespaces/{connection.namespace}/pods/{self._pod}/log"
        self._log = PodLog(mark_prefix(pod), is_old=has_old_marks(pod))
        self._writer = writer
        self._on_reports = on_reports
        self._on_log = on_log
        self._on_end = on_end
        self._found: list[Report] = []
        self._patterns = TimedPatterns(dict(patterns), self, self._say) if patterns else None
        self._reported = 0
        self._has_ended = False
        self._has_heard = False
        self.facts: Mapping[str, Any] | None = None

    @property
    def has_launcher(self) -> bool:
        """Whether a launcher was heard."""
        return self._log.marks.has_launcher

    @property
    def may_have_launcher(self) -> bool:
        """Whether a launcher was heard, or nothing at all: it may have been killed before its first word."""
        return self.has_launcher or not self._has_heard

    @property
    def complaint(self) -> str | None:
        """What is wrong with the last value that was printed, where no launcher was in the pod."""
        return self._patterns.complaint if self._patterns and not self.has_launcher else None

    @property
    def is_complete(self) -> bool:
        """Whether no report is missing, as far as is known."""
        return self._log.marks.is_complete

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether the launcher told that the model ended with a code of its own, and everything before that was read: nothing more is to come."""
        facts = self.facts or {}
        by_itself = facts.get("code") is not None and not (facts.get("signal") or facts.get("stopped") or facts.get("problem"))
        return by_itself and self.is_complete

    def end(self) -> None:
        """The container has ended: a stream that ends now is whole."""
        self._has_ended = True

    async def read(self) -> None:
        """Read to the end. Breaks are mended; what cannot be read any more (the pod or its node is gone) ends it."""
        failures = 0
        while True:
            try:
                had_ended = self._has_ended
                await self._stream()
                if had_ended or self._has_ended or self.facts is not None:
                    break
                failures = 0
            except (Missing, ClusterRefused):
                break
            except ClusterUnavailable:
                if self._has_ended and failures >= len(DELAYS):
                    break
            self._log.restart()
            await asyncio.sleep(DELAYS[min(failures, len(DELAYS) - 1)])
            failures += 1
        await self._pass_on(self._log.close())
        if self._patterns and not self.has_launcher:
            await asyncio.to_thread(self._patterns.close)
            await self._report_found()
        self._writer.close()

    async def _stream(self) -> None:
        query = {"container": CONTAINER, "follow": "true", "timestamps": "true", "sinceTime": self._log.since and self._log.since[:19] + "Z"}
        async with streamed(self._connection, self._path, what=f"read the log of pod {self._pod}", query=query) as content:
            while chunk := await content.read(CHUNK):
                self._has_heard = True
                await self._pass_on(self._log.feed(chunk))

    async def _pass_on(self, news: News) -> None:
        self._say(news.text)
        if news.reports:
            await self._on_reports(news.reports)
        if self._patterns and not self.has_launcher and news.text:
            await asyncio.to_thread(self._patterns.feed, news.text)
            await self._report_found()
        if news.facts is not None:
            self.facts = news.facts
            self._on_end()

    def add_later(self, kind: Any, body: Mapping[str, Any]) -> None:
        """Take a match of a pattern, as a journal does."""
        self._found.append(Report(len(self._found) + 1, kind, body))

    async def _report_found(self) -> None:
        if fresh := [report for report in self._found if report.number > self._reported]:
            self._reported = fresh[-1].number
            await self._on_reports(fresh)

    def _say(self, text: bytes) -> None:
        self._writer.write(text)
        if text and self._on_log:
            self._on_log(text)
