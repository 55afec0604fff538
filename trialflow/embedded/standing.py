"""Servers that stay up: one process for each home holds them (`trialflow up`) until it is asked to end (`trialflow down`).

`servers/up/lock` is held by that process for its life, so neither a crash nor a reused process id can make the answer wrong. `up.json` beside it says
what is up; it is valid only with that process's id in the lock. It holds no token.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.locks import hold, is_held

STOP_SECONDS = 150.0
"""What an end in order may take: flows stop their models, then the servers end."""


@dataclass(frozen=True)
class Standing:
    """What is up: addresses of Prefect's API and UI and of the service, the work queue that is served, and since when (epoch seconds).

    `owns_prefect` is False if Prefect's server is another's, which PREFECT_API_URL names.
    """

    pid: int
    prefect_url: str
    ui_url: str
    service_url: str
    owns_prefect: bool
    queue: str
    since: float


class AlreadyUp(TrialflowError):
    """Another process of this home holds its servers up."""


def folder_of(home: Home) -> Path:
    """The folder of the lock and what is written down."""
    return home.servers / "up"


def standing(home: Home) -> Standing | None:
    """What is up in this home, None if nothing is. Starts nothing and waits for nothing."""
    folder = folder_of(home)
    try:
        found = Standing(**json.loads((folder / "up.json").read_text()))
        holder = (folder / "lock").read_text()
    except (OSError, ValueError, TypeError):
        return None
    return found if holder == str(found.pid) and is_held(folder / "lock") else None


def is_rising(home: Home) -> bool:
    """Whether a process of this home holds its servers up, be they still starting."""
    return is_held(folder_of(home) / "lock")


@contextmanager
def hold_up(home: Home) -> Iterator[None]:
    """Be the process that holds this home's servers up. Raises `AlreadyUp` if there is one."""
    folder = home.make(home.make(home.servers) / "up")
    with open(folder / "lock", "a+") as lock:
        if not hold(lock):
            raise AlreadyUp("trialflow is up already")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            (folder / "up.json").unlink(missing_ok=True)


def publish_standing(home: Home, facts: Standing) -> None:
    """Write down what is up, in one step."""
    folder = folder_of(home)
    aside = folder / "up.json.new"
    aside.write_text(json.dumps(asdict(facts)))
    aside.rename(folder / "up.json")


def take_down(home: Home, *, patience: float = STOP_SECONDS) -> bool:
    """Have the process that holds the servers up end in order, and return when it has. False if there is none. Raises `TrialflowError`."""
    lock = folder_of(home) / "lock"
    if not is_held(lock):
        return False
    pid = _pid(lock)
    try:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    except PermissionError:
        raise TrialflowError(f"process {pid} holds the servers up and is another user's", hint="ask whoever started it") from None
    deadline = time.monotonic() + patience
    while is_held(lock):
        if time.monotonic() > deadline:
            raise TrialflowError(f"process {pid} still holds the servers up after {patience:.0f} s", hint=f"end it with `kill -9 {pid}`")
        time.sleep(0.05)  # a wait for the lock could not be given up
    return True


def _pid(lock: Path) -> int:
    # The holder writes its id right after it has taken the lock.
    for _ in range(100):
        with contextlib.suppress(ValueError):
            return int(lock.read_text())
        time.sleep(0.01)
    raise TrialflowError(f"{lock} is held by a process that does not say which", hint="`trialflow doctor` shows what runs")
