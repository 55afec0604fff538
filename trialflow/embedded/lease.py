"""Use of a shared server: the first command starts it, the last one to go ends it, and a killed one counts as gone."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

from trialflow.embedded.servers import Server
from trialflow.errors import TrialflowError

LOG_LINES = 15


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
            if url := running_url(server.folder):
                return Lease(url, False, users)
            return Lease(_start(server), True, users)
    except BaseException:
        users.close()
        raise


def running_url(folder: Path) -> str | None:
    """The address of the server of `folder`, or None if it is not running. Starts nothing and waits for nothing."""
    try:
        with open(folder / "host.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pass
    try:
        return json.loads((folder / "endpoint.json").read_text())["url"]
    except (FileNotFoundError, ValueError):
        return None


def _start(server: Server) -> str:
    plan = server.plan()
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
