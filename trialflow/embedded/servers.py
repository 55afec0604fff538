"""Which servers there are and how each is started: commands, ports, environment."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trialflow.home import Home
from trialflow.network import drop_unusable
from trialflow.packages import python_path

PREFECT_PORT = 4200
SHOWS_NICE = 5
"""Prefect's server shows what happened: once it is up, flows and training runs go before it."""


@dataclass(frozen=True)
class Server:
    """A server that `lease` can start: `title` for people, `folder` for its locks, the others as `host.py` reads them.

    `ports` are tried in order after the one that it had last time. `environment` goes to the process itself and is never written down.
    """

    title: str
    folder: Path
    command: tuple[str, ...]
    log: Path
    ports: tuple[int, ...] = (0,)
    nice: int = 0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def service_server(home: Home, port: int | None = None) -> Server:
    """The embedded SigOpt-compatible service over the database in `home`, at `port`, by default the one that it had last."""
    home.make(home.service)
    folder = home.make(home.servers) / "service"
    ports = (*last_port(folder), 0) if port is None else (port,)
    return Server("the service", folder, _command("service", home), home.logs / "service.log", ports, environment=_environment())


def prefect_server(home: Home, port: int | None = None) -> Server:
    """A Prefect server with its UI over SQLite in `home`, at `port`, by default 4200 if that is free. It asks for its own token."""
    home.make(home.prefect)
    folder = home.make(home.servers) / "prefect"
    ports = (PREFECT_PORT, *last_port(folder), 0) if port is None else (port,)
    return Server("a Prefect server", folder, _command("prefect", home), home.logs / "prefect-server.log", ports, SHOWS_NICE, _environment())


def prefect_auth(home: Home) -> str:
    """What the embedded Prefect server asks for, in Prefect's form `user:password`."""
    try:
        # A server that an earlier version started, and that still runs, asks for what that version wrote down.
        earlier = json.loads((home.servers / "prefect" / "server.json").read_text()).get("user")
    except (OSError, ValueError):
        earlier = None
    return earlier or f"trialflow:{home.prefect_token()}"


def last_port(folder: Path) -> tuple[int, ...]:
    """The port that the server had last time, if any: links and open pages go on working."""
    try:
        return (int((folder / "port").read_text()),)
    except (FileNotFoundError, ValueError):
        return ()


def _command(name: str, home: Home) -> tuple[str, ...]:
    return (sys.executable, "-m", "trialflow.embedded.serving", name, str(home.root))


def holder_of(port: int) -> str | None:
    """Who listens at a port of this machine, for people: a process and its command as far as they can be seen. None if nobody does."""
    import psutil

    try:
        found = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port]
    except psutil.AccessDenied:  # macOS tells only root
        return "another process"
    if not found:
        return None
    if not found[0].pid:
        return "a process of another user"
    try:
        return f"process {found[0].pid} ({' '.join(psutil.Process(found[0].pid).cmdline())[:60]})"
    except psutil.Error:
        return f"process {found[0].pid}"


def _environment() -> dict[str, str]:
    """The user's environment without what would point our servers, or Python, elsewhere."""
    unwanted = ("PREFECT_", "SIGOPT_", "TRIALFLOW_UPSTREAM_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    kept.pop("TRIALFLOW_DATABASE_URL", None)
    drop_unusable(kept)
    return {**kept, "PYTHONSAFEPATH": "1", **python_path()}
