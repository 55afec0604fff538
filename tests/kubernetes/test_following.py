"""Reading a pod's log and following an attempt to its end against an API server that breaks off anywhere: every report once, and the right end."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Attempt, Exit, Report
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.jobs import following, log_reader
from tasks.kubernetes.jobs.following import Following
from tasks.kubernetes.jobs.log_folder import KeptFolder
from tasks.kubernetes.jobs.starting import CannotStart
from tasks.kubernetes.jobs.watching import PodWatch
from tests.kubernetes.scripted import Cut, ScriptedServer, event, pod, serving
from trialflow.launcher.marks import MARK

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
NAME = "run-abcd1234"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "DELAYS", (0.0,))
    monkeypatch.setattr(following, "LOG_SECONDS", 2.0)


def ended(code: int, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z", **more}}


def line(number: int, text: bytes) -> bytes:
    """A line of a log as the kubelet gives it, with its time stamp."""
    return b"2026-01-01T00:00:%02d.000000000Z %s\n" % (number, text)


def mark(kind: str, **fields: Any) -> bytes:
    return MARK + json.dumps({"kind": kind, **fields}).encode()


BEGIN = line(1, mark("begin", python="3.11"))
FIRST = line(2, mark("merge", number=1, body={"values": {"y": {"value": 1}}}))
SECOND = line(4, mark("merge", number=2, body={"values": {"y": {"value": 2}}}))
END = line(6, mark("end", number=2, facts={"code": 0}))


class Followed:
    """One attempt that is followed: what was reported and said."""

    def __init__(self, folder: Path) -> None:
        self.folder = KeptFolder(folder)
        self.reports: list[Report] = []
        self.pending: list[str] = []

    async def take(self, reports: Sequence[Report]) -> None:
        self.reports += reports

    async def end(self, connection: Connection, patterns: dict[str, str] | None = None) -> Exit:
        attempt = Attempt({"id": "7", "name": NAME}, 1, (), "tests", patterns=patterns or {})
        async with PodWatch(connection, {}) as watch, asyncio.timeout(30):
            one = Following(
                connection, watch, self.folder, attempt,
                on_reports=self.take, on_log=None, on_pending=self.pending.append, start_otherwise=never_otherwise,
            )  # fmt: skip
            try:
                return await one.end()
            finally:
                await one.close()

    @property
    def values(self) -> list[float]:
        return [report.body["values"]["y"]["value"] for report in self.reports]


async def never_otherwise(pod: Any) -> bool:
    return False


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "1")


async def test_a_model_that_ends_by_itself_is_known_from_the_launchers_last_line(followed: Followed) -> None:
    server = ScriptedServer()
    server.lists, server.logs = [[pod(NAME, state=RUNNING)]], [[BEGIN, FIRST, line(3, b"hello"), SECOND, END]]
    async with serving(server) as connection:
        assert (await followed.end(connection)).code == 0
    assert followed.values == [1, 2] and followed.folder.read(None) == b"hello\n"


@pytest.mark.parametrize("cut", range(0, len(FIRST + SECOND) + 1, 23))
async def test_a_log_that_breaks_off_anywhere_gives_each_report_once(cut: int, followed: Followed) -> None:
    server, whole = ScriptedServer(), FIRST + line(3, b"hello") + SECOND
    server.lists, server.logs = [[pod(NAME, state=RUNNING)]], [[BEGIN, whole[:cut], Cut], [BEGIN + whole + END]]
    async with serving(server) as connection:
        assert (await followed.end(connection)).code == 0
    assert followed.values == [1, 2] and followed.folder.read(None) == b"hello\n"


async def test_it_goes_on_reading_at_the_time_of_the_last_line_that_it_has(followed: Followed) -> None:
    server = ScriptedServer()
    server.lists, server.logs = [[pod(NAME, state=RUNNING)]], [[BEGIN, FIRST, SECOND[:20], Cut], [FIRST, SECOND, END]]
    async with serving(server) as connection:
        await followed.end(connection)
    first, second = server.queries("log")
    assert "sinceTime" not in first and second["sinceTime"] == "2026-01-01T00:00:02Z"


async def test_reports_that_the_log_has_lost_come_from_the_recap(followed: Followed) -> None:
    server = ScriptedServer()
    recap = line(5, mark("recap", number=2, checkpoints=[], merge={"values": {"y": {"value": 2}}}))
    server.lists, server.logs = [[pod(NAME, state=RUNNING)]], [[BEGIN, SECOND, recap, END]]
    async with serving(server) as connection:
        assert (await followed.end(connection)).code == 0
    assert followed.values == [2]


async def test_without_a_launcher_printed_metrics_count_and_the_exit_code_is_the_containers(followed: Followed) -> None:
    server = ScriptedServer()
    server.lists = [[pod(NAME, state=RUNNING)]]
    server.watches, server.logs = [[event("MODIFIED", pod(NAME, 2, state=ended(3)))]], [[line(1, b"y=5"), line(2, b"bye")]]
    async with serving(server) as connection:
        exit = await followed.end(connection, patterns={"y": "y=(.*)"})
    assert (exit.code, exit.lost) == (3, None) and followed.values == [5]


@pytest.mark.parametrize("kind", ["MODIFIED", "DELETED"])
async def test_a_pod_that_is_evicted_or_deleted_is_lost(kind: str, followed: Followed) -> None:
    server = ScriptedServer()
    gone = pod(NAME, 2, state=ended(137), deletionTimestamp="2026-01-01T00:00:05Z")
    gone["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]
    server.lists, server.watches, server.logs = [[pod(NAME, state=RUNNING)]], [[event(kind, gone)]], [[BEGIN, FIRST]]
    async with serving(server) as connection:
        assert (await followed.end(connection)).lost == "it was evicted from node n1"
    assert followed.values == [1]


async def test_the_end_is_found_when_the_watch_broke_off_and_had_to_list_anew(followed: Followed) -> None:
    server = ScriptedServer()
    server.lists = [[pod(NAME, state=RUNNING)], [pod(NAME, 5, state=ended(1))]]
    server.watches, server.logs = [410], [[line(1, b"bye")]]
    async with serving(server) as connection:
        assert (await followed.end(connection)).code == 1


async def test_a_job_that_was_deleted_before_it_had_a_pod_is_lost(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.kubernetes.jobs.following.WITHOUT_POD_SECONDS", 0.01)
    async with serving(ScriptedServer()) as connection:
        assert (await followed.end(connection)).lost == "its Job was deleted"


async def test_an_image_that_does_not_exist_ends_the_work_and_spends_nothing(followed: Followed) -> None:
    server = ScriptedServer()
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "rpc error: code = NotFound desc = r/x:1: not found"}}
    stuck = pod(NAME, state=waiting)
    stuck["status"] |= {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}
    stuck["status"]["containerStatuses"][0]["image"] = "r/x:1"
    server.lists = [[stuck]]
    async with serving(server) as connection:
        with pytest.raises(CannotStart, match="training run 7 cannot be started"):
            await followed.end(connection)
