"""Waiting for facts, with what never came true in the failure; and ports that nobody has."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(fact: Callable[[], Found], what: str | Callable[[], object], seconds: float, pause: float = 0.2) -> Found:
    """What `fact` returns once it is true. It fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(pause)
    return found


def free_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
