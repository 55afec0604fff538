"""Who works on an experiment, written down so that a second one is refused by name.

The service decides (`worker_lease.py`). On one machine a file lock says the same at once: the kernel gives it back however the owner ended. For
services without leases the owner is also written into the experiment's metadata.
"""

import asyncio
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.locks import hold, is_held
from trialflow.metadata_keys import OWNER
from trialflow.results.links import FLOW_RUN

PROSE = re.compile(r"process (?P<pid>\d+) on (?P<host>\S+) since (?P<since>\d{4}-\d\d-\d\d \d\d:\d\d)(?:, flow run (?P<flow_run>[0-9a-f-]{36}))?")
"""How versions before 0.2 wrote an owner."""
PATIENCE_SECONDS = 60.0


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

    def to_json(self) -> str:
        """As it is kept in a file and in the experiment's metadata."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        flow = f", flow run {self.flow_run_id}" if self.flow_run_id else ""
        return f"process {self.pid} on {self.host} since {when}{flow}"


def parse_owner(text: object) -> Owner | None:
    """The owner that a text names: JSON, or the sentence of earlier versions. None for anything else: others can write metadata too."""
    if not isinstance(text, str):
        return None
    try:
        if match := PROSE.fullmatch(text.strip()):
            since = time.mktime(time.strptime(match["since"], "%Y-%m-%d %H:%M"))
            return Owner(match["host"], int(match["pid"]), match["flow_run"], since)
        return owner_from(json.loads(text))
    except (ValueError, OverflowError, RecursionError):
        return None


def owner_from(fields: Any) -> Owner | None:
    """The owner that an object names; None for anything else."""
    try:
        host, pid, since, flow_run = fields["host"], fields["pid"], fields["since"], fields.get("flow_run_id")
    except (TypeError, KeyError, AttributeError):
        return None
    if not (isinstance(host, str) and type(pid) is int and pid > 0 and isinstance(since, int | float) and 0 <= since < 1e11):
        return None
    known = isinstance(flow_run, str) and FLOW_RUN.fullmatch(flow_run)
    return Owner(host, pid, flow_run if known else None, float(since))


def owner_of(experiment: Mapping[str, Any]) -> Owner | None:
    """The last owner that the experiment's metadata names."""
    return parse_owner((experiment.get("metadata") or {}).get(OWNER))


class AlreadyWorkedOn(TrialflowError):
    """Another flow works on the experiment: two would spend its budget twice."""

    def __init__(self, experiment_id: str, owner: Owner | None) -> None:
        super().__init__(
            f"experiment {experiment_id} is already being worked on by {owner or 'another process'}",
            hint=f"watch it with `trialflow experiment show {experiment_id}`, join it with `trialflow start-worker {experiment_id}`, "
            f"or end that work with `trialflow experiment stop {experiment_id}`",
        )
        self.owner = owner


@asynccontextmanager
async def claim(home: Home, service_url: str, experiment_id: str, owner: Owner, *, patience: float = PATIENCE_SECONDS) -> AsyncIterator[None]:
    """Hold the experiment for this process on this machine. Raises `AlreadyWorkedOn`.

    A process of the same flow run has lost the experiment to this one, and has `patience` seconds to notice and end.
    """
    path = claim_file(home, service_url, experiment_id)
    home.make(path.parent)
    with open(path, "a+") as file:
        deadline = time.monotonic() + patience
        while not hold(file):
            holder = _read(path)
            is_same = holder is not None and holder.flow_run_id is not None and holder.flow_run_id == owner.flow_run_id
            if not is_same or time.monotonic() >= deadline:
                raise AlreadyWorkedOn(experiment_id, holder)
            await asyncio.sleep(0.2)
        file.truncate(0)
        file.write(owner.to_json())
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
    return _read(path) if is_held(path) else None


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
        return parse_owner(path.read_text())
    except OSError:
        return None
