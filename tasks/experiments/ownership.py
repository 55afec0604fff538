"""One owner of an experiment at a time: who works on it is written down, and a second one is refused by name.

On one machine a file lock decides: the kernel gives it back however the owner ended. Across machines that share a service the owner is also
written into the experiment's metadata, and the flow run that it names is looked up.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from trialflow.errors import TrialflowError
from trialflow.home import Home


@dataclass(frozen=True)
class Owner:
    """Who works on an experiment: a process on a host, the Prefect flow run it executes, and since when (epoch seconds)."""

    host: str
    pid: int
    flow_run_id: str | None
    since: float

    @classmethod
    def of_this_process(cls, flow_run_id: str | None) -> "Owner":
        """The owner that this process would be."""
        return cls(socket.gethostname(), os.getpid(), flow_run_id, time.time())

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        flow = f", flow run {self.flow_run_id}" if self.flow_run_id else ""
        return f"process {self.pid} on {self.host} since {when}{flow}"


class AlreadyWorkedOn(TrialflowError):
    """Another flow works on the experiment: two would spend its budget twice."""

    def __init__(self, experiment_id: str, owner: Owner | None) -> None:
        super().__init__(
            f"experiment {experiment_id} is already being worked on by {owner or 'another process'}",
            hint=f"watch it with `trialflow experiment show {experiment_id}`, or end that work with `trialflow experiment stop {experiment_id}`",
        )
        self.owner = owner


@contextmanager
def claim(home: Home, service_url: str, experiment_id: str, owner: Owner) -> Iterator[None]:
    """Hold the experiment for this process. Raises `AlreadyWorkedOn`."""
    path = claim_file(home, service_url, experiment_id)
    home.make(path.parent)
    with open(path, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyWorkedOn(experiment_id, _read(path)) from None
        file.truncate(0)
        file.write(json.dumps(asdict(owner)))
        file.flush()
        yield


@contextmanager
def creating(home: Home, service_url: str) -> Iterator[None]:
    """Hold the right to look for an experiment and create it: two commands that start at once do not make two. Short, so waited for."""
    path = claim_file(home, service_url, "new")
    home.make(path.parent)
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def current_owner(home: Home, service_url: str, experiment_id: str) -> Owner | None:
    """Who works on the experiment from this machine, or None."""
    path = claim_file(home, service_url, experiment_id)
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _read(path)


def claim_file(home: Home, service_url: str, experiment_id: str) -> Path:
    """The lock of one experiment of one service."""
    return home.root / "claims" / f"{service_key(home, service_url)}-{experiment_id}"


def service_key(home: Home, service_url: str) -> str:
    """A short name for a service that tells its ids from another's: `embedded` for the one in this home, whatever its port."""
    for line in (home.servers / "service" / "port", home.service / "port"):
        try:
            if service_url == f"http://127.0.0.1:{line.read_text().strip()}":
                return "embedded"
        except FileNotFoundError:
            continue
    return sha256(service_url.encode()).hexdigest()[:12]


def _read(path: Path) -> Owner | None:
    # The owner writes right after it locks; between the two there is nothing to read yet.
    try:
        return Owner(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
