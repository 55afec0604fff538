"""Limits on connections: half-open ones hold nobody up, slow heads and bodies end, errors of the event loop are logged at a bounded rate."""

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.service.conftest import Running, start
from trialflow.service import connections
from trialflow.service.connections import BoundedLog, Waiting
from trialflow.service.errors import ApiError
from trialflow.service.requests import read_body


class Connection:
    """What `Waiting` closes."""

    def __init__(self, waiting: Waiting) -> None:
        self.waiting, self.is_closed = waiting, False
        waiting.opened(self)  # type: ignore[arg-type]

    def close(self) -> None:
        self.is_closed = True
        self.waiting.closed(self)  # type: ignore[arg-type]


def test_beyond_the_limit_the_connection_that_waits_longest_is_closed() -> None:
    waiting = Waiting(3)
    first, second, third = (Connection(waiting) for _ in range(3))
    waiting.busy(first)  # type: ignore[arg-type]
    fourth = Connection(waiting)
    assert [one.is_closed for one in (first, second, third, fourth)] == [False, True, False, False]
    waiting.idle(first)  # type: ignore[arg-type]
    Connection(waiting)
    assert [one.is_closed for one in (first, third, fourth)] == [False, True, False] and waiting.count == 3


def test_a_newcomer_is_closed_when_all_others_are_busy() -> None:
    waiting = Waiting(1)
    busy = Connection(waiting)
    waiting.busy(busy)  # type: ignore[arg-type]
    assert Connection(waiting).is_closed and not busy.is_closed


def test_errors_of_one_kind_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = BoundedLog(lambda: now)
    context: dict[str, Any] = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
    loop = asyncio.new_event_loop()
    with caplog.at_level(logging.ERROR):
        for moment in (0.0, 0.1, 30.0, 59.9, 60.0):
            now = moment
            log(loop, context)
        log(loop, {"message": "another"})
    loop.close()
    assert [one.message.partition(":")[0] for one in caplog.records] == [
        "socket.accept() out of system resource",
        "socket.accept() out of system resource (3 more in the last minute)",
        "another",
    ]


class Slow:
    """A request whose body never ends."""

    async def stream(self):  # noqa: ANN201
        yield b"{"
        await asyncio.Event().wait()


async def test_a_body_that_does_not_arrive_in_time_is_a_408() -> None:
    with pytest.raises(ApiError) as raised:
        await read_body(Slow(), 100, 0.01)  # type: ignore[arg-type]
    assert raised.value.status == 408


async def test_a_head_that_does_not_arrive_in_time_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=connections.bounded_protocol(), ws="none", lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET / HTTP/1.1\r\nHost: ")  # the next one is never completed
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    finally:
        server.should_exit = True
        await serving
        listener.close()


def test_300_half_open_connections_leave_health_answering(tmp_path: Path) -> None:
    import resource

    running: Running = start(tmp_path / "home")
    address = urlsplit(running.url)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (256, 256))
    sockets = []
    try:
        for _ in range(300):
            one = socket.create_connection((address.hostname or "", address.port or 0), timeout=10)
            one.sendall(b"GET /health HTTP/1.1\r\nHost: 127")
            sockets.append(one)
        assert requests.get(f"{running.url}/health", timeout=20).json() == {"status": "ok"}
        assert running.call("GET", "tokens/self")["client"] == "1"
        log = (tmp_path / "home.log").read_text()
        assert log.count("\n") < 20, log
    finally:
        for one in sockets:
            one.close()
        running.process.terminate()
        running.process.wait(10)
