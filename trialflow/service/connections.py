"""Limits on connections: how many there are, and how long one may take to send the head of a request. No token is needed to open one."""

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)
HEAD_SECONDS = 10.0
MOST_CONNECTIONS = 512
RESERVED_FILES = 128
"""Descriptors for everything that is not a connection."""
LOG_SECONDS = 60.0


def raised_limit(wanted: int = 4096) -> int:
    """Allow this process `wanted` open files if the system lets it; how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else soft


class Waiting:
    """The connections that no request is under way on, oldest first. Beyond `most` connections the one that has waited longest is closed.

    So newcomers are always let in, and whoever opens connections without sending requests closes their own.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self._waiting: dict[BoundedProtocol, None] = {}

    def opened(self, connection: "BoundedProtocol") -> None:
        """Count a new connection, which waits for its first request."""
        self.count += 1
        self._waiting[connection] = None
        if self.count > self.most:
            oldest = next(iter(self._waiting))
            oldest.close()

    def idle(self, connection: "BoundedProtocol") -> None:
        """It waits for its next request."""
        self._waiting.setdefault(connection)

    def busy(self, connection: "BoundedProtocol") -> None:
        """A request is under way on it."""
        self._waiting.pop(connection, None)

    def closed(self, connection: "BoundedProtocol") -> None:
        """It is gone."""
        self.count -= 1
        self._waiting.pop(connection, None)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for the head of each request: a connection that does not complete one within `HEAD_SECONDS` is closed."""

    def __init__(self, *arguments: Any, waiting: Waiting, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._waiting = waiting
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection waits for its first head."""
        super().connection_made(transport)
        self._waiting.opened(self)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """A complete head ends the waiting; anything less does not prolong it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._waiting.busy(self)
            self._stop_timer()

    def on_response_complete(self) -> None:
        """What was answered waits for the next head."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._waiting.idle(self)
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._waiting.closed(self)
        self._stop_timer()
        super().connection_lost(exc)

    def close(self) -> None:
        """Close it without a word: whoever opened it said nothing either."""
        self._waiting.busy(self)
        self.transport.abort()

    def _await_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.close)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_protocol() -> Any:
    """What uvicorn makes each connection with."""
    return partial(BoundedProtocol, waiting=Waiting(min(MOST_CONNECTIONS, max(16, raised_limit() - RESERVED_FILES))))


class BoundedLog:
    """An event loop's handler of errors that logs each kind at most once a minute: a full table of open files fails every accept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle one error."""
        kind, now = f"{context.get('message')}: {type(context.get('exception')).__name__}", self._clock()
        if now - self._last.get(kind, -LOG_SECONDS) < LOG_SECONDS:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._last[kind] = now
        left_out = self._left_out.pop(kind, 0)
        more = f" ({left_out} more in the last minute)" if left_out else ""
        logger.error("%s%s: %s", context.get("message"), more, context.get("exception"))
