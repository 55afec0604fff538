"""Use of a shared server: the first command starts it, the last one to go ends it, and a killed one counts as gone."""

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from trialflow.embedded.servers import Server
from trialflow.errors import TrialflowError
from trialflow.events import notices
from trialflow.home import Home
from trialflow.locks import is_held
from trialflow.network import LOOPBACK, without_logins

LOG_LINES = 15
START_SECONDS = 330.0
PATIENCE_SECONDS = 10.0
"""A server that is not up by then has a word said about it. Prefect's needs 3 to 5 s on an idle machine."""


@dataclass
class Lease:
    """The right to use a server until `release` or the end of this process. `url` is its address."""

    url: str
    started_it: bool
    _users: BufferedWriter

    def release(self) -> None:
        """Give the server back; it ends if nobody else uses it. Can be called twice."""
        self._users.close()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def lease(server: Server) -> Lease:
    """Use `server`, starting it if no other command has. Returns when it answers.

    Raises `TrialflowError` with the end of the server's log if it cannot be started.
    """
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    users = open(server.folder / "users.lock", "ab")
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        with open(server.folder / "start.lock", "ab") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            # A host that does not answer was started by a command that is gone, starts its server again, or is being killed: it will answer, or end.
            deadline = time.monotonic() + START_SECONDS
            while is_hosted(server.folder) and time.monotonic() < deadline:
                if url := running_url(server.folder):
                    return Lease(url, False, users)
                time.sleep(0.05)
            return Lease(_start(server), True, users)
    except BaseException:
        users.close()
        raise


@contextmanager
def said_if_slow(server: Server, *, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Send a notice if what is done meanwhile, waiting for `server`, takes longer than usual."""
    if (notice := notices.get()) is None:
        yield
        return
    timer = threading.Timer(seconds, notice, [f"starting {server.title} takes longer than usual; its log is {server.log}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def is_hosted(folder: Path) -> bool:
    """Whether the server of `folder` has a host, be it still starting."""
    return is_held(folder / "host.lock")


def running_url(folder: Path) -> str | None:
    """The address of the server of `folder`, or None if it does not answer. Starts nothing and waits for nothing."""
    endpoint = _endpoint(folder)
    return endpoint["url"] if endpoint and _is_listening(endpoint["url"]) else None


def socket_of(home: Home, url: str) -> Path | None:
    """The Unix socket of the embedded service, if `url` is its address: whoever answers there is the user's own server, whoever has the port.

    None for any other address, and where the service has no socket.
    """
    endpoint = _endpoint(home.servers / "service")
    return Path(endpoint["socket"]) if endpoint and endpoint["url"] == url.rstrip("/") and endpoint.get("socket") else None


def _endpoint(folder: Path) -> dict[str, str] | None:
    """What the server's host wrote down, as long as that host lives: it holds the server's port for its life."""
    try:
        endpoint = json.loads((folder / "endpoint.json").read_text())
        is_its_own = str(endpoint["host_pid"]) == (folder / "host.lock").read_text()
    except (OSError, ValueError, KeyError):
        return None
    return endpoint if is_its_own and is_hosted(folder) else None


def answers(url: str) -> bool:
    """Whether an address answers with success. No login is sent."""
    # Loopback is never behind a proxy; what is elsewhere may be.
    proxies = urllib.request.ProxyHandler({} if urlsplit(url).hostname in LOOPBACK else None)
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=5) as response:
            return response.status == 200
    except (OSError, ValueError):
        return False


def _is_listening(url: str) -> bool:
    """Whether anybody listens at an address; one that is too busy to answer does. A host that is being killed loses its server before its lock."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), timeout=1).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        pass
    return True


def _start(server: Server) -> str:
    server.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    begin = server.log.stat().st_size if server.log.exists() else 0
    file = server.folder / "server.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"command": server.command, "log": str(server.log), "ports": server.ports, "nice": server.nice}))
    reader, writer = os.pipe()
    subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("host.py")), str(server.folder), str(writer)],
        env=dict(server.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[writer],
        start_new_session=True,
        cwd="/",
    )
    os.close(writer)
    with os.fdopen(reader) as announced:
        line = announced.readline()
    answer = json.loads(line) if line else {"problem": "its host process ended"}
    if "url" in answer:
        return answer["url"]
    said = ""
    if server.log.exists():
        with open(server.log, "rb") as output:
            output.seek(begin)
            tail = without_logins(output.read().decode(errors="replace")).strip().splitlines()[-LOG_LINES:]
        said = "\n  ".join(["; its log ends with:", *tail]) if tail else ""
    raise TrialflowError(f"could not start {server.title}: {answer['problem']}{said}", hint=f"its whole log is {server.log}")


async def lease_async(server: Server) -> Lease:
    """As `lease`, for coroutines: the event loop goes on while the server starts."""
    starting = asyncio.ensure_future(asyncio.to_thread(lease, server))
    try:
        with said_if_slow(server):
            return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread cannot be stopped: whatever it gets is given back.
        starting.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().release())
        raise
