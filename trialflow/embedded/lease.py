"""Use of a shared server: the first command starts it, the last one to go ends it, and a killed one counts as gone."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from trialflow.embedded.servers import Server, is_free
from trialflow.errors import TrialflowError
from trialflow.locks import is_held

LOG_LINES = 15
START_SECONDS = 150.0


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


def is_hosted(folder: Path) -> bool:
    """Whether the server of `folder` has a host, be it still starting."""
    return is_held(folder / "host.lock")


def running_url(folder: Path) -> str | None:
    """The address of the server of `folder`, or None if it does not answer. Starts nothing and waits for nothing."""
    if not is_hosted(folder):
        return None
    try:
        endpoint = json.loads((folder / "endpoint.json").read_text())
        is_its_own = str(endpoint["host_pid"]) == (folder / "host.lock").read_text()
        return endpoint["url"] if is_its_own and _is_listening(endpoint["url"]) else None
    except (FileNotFoundError, ValueError):
        return None


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
    plan = server.plan()
    try:
        return _start_as(server, plan)
    except TrialflowError:
        # Somebody else's server, started at the same moment, may have taken the port that was free when this was planned.
        if plan["url"] is None or is_free(urlsplit(plan["url"]).port or 0):
            raise
        return _start_as(server, server.plan())


def _start_as(server: Server, plan: dict[str, Any]) -> str:
    log = Path(plan["log"])
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    begin = log.stat().st_size if log.exists() else 0
    file = server.folder / "server.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(plan))
    reader, writer = os.pipe()
    subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("host.py")), str(server.folder), str(writer)],
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
    with open(log, "rb") as output:
        output.seek(begin)
        tail = output.read().decode(errors="replace").strip().splitlines()[-LOG_LINES:]
    said = "\n  ".join(["; it said:", *tail]) if tail else ""
    raise TrialflowError(f"could not start {server.title}: {answer['problem']}{said}", hint=f"its whole log is {log}")
