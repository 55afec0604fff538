"""Which servers there are and how each is started: commands, settings and ports."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialflow.home import Home

PREFECT_PORT = 4200
SHOWS_NICE = 5
"""Prefect's server shows what happened: once it is up, flows and training runs go before it."""
BATCHED = {
    # Measured: a quarter of the server's CPU per task run, and a UI that is 3 s behind instead of 53 s (docs/embedded.md).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Server:
    """A server that `lease` can bring up: `title` for people, `folder` for its locks, `plan()` as `host.py` reads it."""

    title: str
    folder: Path
    plan: Callable[[], dict[str, Any]]


def service_server(home: Home) -> Server:
    """The embedded SigOpt-compatible service over the database in `home`, at a free port of loopback."""

    def plan() -> dict[str, Any]:
        home.make(home.service)
        command = [sys.executable, "-m", "trialflow.service", "--home", str(home.root), "--host", "127.0.0.1", "--port"]
        port = _last_port(home.servers / "service")
        return {
            "command": [*command, str(port if port and is_free(port) else 0)],
            "again": [*command, "{port}"],
            "environment": {**_clean_environment(), **ONE_THREAD, "TRIALFLOW_HOME": str(home.root)},
            "log": str(home.logs / "service.log"),
            "health": None,
            "url": None,
        }

    home.make(home.servers)
    return Server("the service", home.servers / "service", plan)


def prefect_server(home: Home) -> Server:
    """A Prefect server with its UI over SQLite in `home`, at port 4200 of loopback if that is free; it asks for the user's token."""

    def plan() -> dict[str, Any]:
        home.make(home.prefect)
        port = PREFECT_PORT if is_free(PREFECT_PORT) else _free_port(_last_port(home.servers / "prefect"))
        url = f"http://127.0.0.1:{port}"
        environment = {
            **_clean_environment(),
            **BATCHED,
            "PREFECT_HOME": str(home.prefect),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_API_AUTH_STRING": prefect_auth(home),
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
            "PREFECT_UI_API_URL": f"{url}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
            "DO_NOT_TRACK": "1",
        }
        command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
        options = ["--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", "5", "--log-level", "warning", "--no-access-log"]
        return {
            "command": [*command, *options],
            "again": None,
            "environment": environment,
            "log": str(home.logs / "prefect-server.log"),
            "health": f"{url}/api/admin/version",
            "user": prefect_auth(home),
            "url": url,
            "nice": SHOWS_NICE,
        }

    home.make(home.servers)
    return Server("a Prefect server", home.servers / "prefect", plan)


def prefect_auth(home: Home) -> str:
    """What the embedded Prefect server asks for, in Prefect's form `user:password`."""
    return f"trialflow:{home.token()}"


def _clean_environment() -> dict[str, str]:
    """The environment without what would point our own servers, or Python, elsewhere."""
    unwanted = ("PREFECT_", "SIGOPT_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)} | {"PYTHONSAFEPATH": "1"}


def is_free(port: int) -> bool:
    """Whether nobody listens at a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(wanted: int | None) -> int:
    if wanted and is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _last_port(folder: Path) -> int | None:
    """The port that the server had last time: links and open pages go on working."""
    try:
        return int((folder / "port").read_text()) or None
    except (FileNotFoundError, ValueError):
        return None
