"""Real services on real databases: SQLite always, PostgreSQL where there is a server or one can be started."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

os.environ.setdefault("SIGOPT_PROJECT", "default")

import requests
from sigopt.exception import ApiException
from sigopt.request_driver import RequestDriver

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    """A service in a process of its own."""

    url: str
    token: str
    home: Path
    process: subprocess.Popen

    @property
    def driver(self) -> RequestDriver:
        """The official client's transport to it."""
        return RequestDriver(client_token=self.token, api_url=self.url)

    def call(self, method: str, path: str, body: dict | None = None) -> Any:
        """A request by the official client's transport; its answer's JSON."""
        return self.driver.request(method, path.strip("/").split("/"), body or {}, None)

    def refused(self, method: str, path: str, body: dict | None = None) -> tuple[int, str]:
        """Status and message of a request that has to be refused."""
        response = self.raw(method, path, json=body or {})
        assert response.status_code >= 400, response.text
        answer = response.json()
        assert set(answer) == {"message", "status"} and answer["status"] == response.status_code
        return response.status_code, answer["message"]

    def raw(self, method: str, path: str, **more: Any) -> requests.Response:
        """A request by hand."""
        more.setdefault("auth", (self.token, ""))
        return requests.request(method, f"{self.url}/v1/{path.strip('/')}", timeout=20, **more)

    def experiment(self, **fields: Any) -> dict[str, Any]:
        """A new AI experiment with two parameters and one metric."""
        parameters = [
            {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
            {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]},
        ]
        body = {"name": "e", "parameters": parameters, "metrics": [{"name": "m"}], "budget": 10, **fields}
        return self.call("POST", "clients/1/projects/default/aiexperiments", body)

    def run(self, experiment: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A new training run of an experiment."""
        return self.call("POST", f"aiexperiments/{experiment['id']}/training_runs", {"name": "r", **fields})

    def end(self, run: dict[str, Any], value: float | None, state: str = "completed") -> dict[str, Any]:
        """End a training run with a value of the metric."""
        values = {} if value is None else {"values": {"m": {"value": value}}}
        return self.call("MERGE", f"training_runs/{run['id']}", {**values, "state": state})


def start(home: Path, database: str | None = None) -> Running:
    """Start a service in a process and wait until it answers."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "trialflow.service", "--home", str(home)]
    variables = {"TRIALFLOW_READY_FD": str(writer), **({"TRIALFLOW_DATABASE_URL": database} if database else {})}
    log = (home.parent / f"{home.name}.log").open("ab")
    process = subprocess.Popen(command, env={**os.environ, **variables}, pass_fds=[writer], stderr=log, cwd=ROOT)
    os.close(writer)
    with os.fdopen(reader) as announced:
        line = announced.readline()
    if not line:
        raise RuntimeError((home.parent / f"{home.name}.log").read_text())
    return Running(json.loads(line)["url"], (home / "token").read_text().strip(), home, process)


@contextmanager
def started(home: Path, database: str | None = None, *, end_seconds: float = 10) -> Iterator[Running]:
    """The same, ended in order afterwards, within so many seconds."""
    running = start(home, database)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(end_seconds)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty PostgreSQL database: the one of TRIALFLOW_TEST_POSTGRES_URL, or of a server started for the session."""
    if url := os.environ.get("TRIALFLOW_TEST_POSTGRES_URL"):
        yield url
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    binary = programs[-1] if programs else Path(shutil.which("initdb") or "/none/initdb").parent
    if not (binary / "initdb").exists():
        pytest.skip("no PostgreSQL server is installed, and TRIALFLOW_TEST_POSTGRES_URL is not set")
    folder = Path("/tmp") / f"trialflow-postgres-{os.getpid()}"
    folder.mkdir(mode=0o755)
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to be run by root
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data, options = folder / "data", f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([*as_user, binary / "initdb", "-D", data, "-U", "tests", "-A", "trust"], check=True, capture_output=True, cwd="/")
    try:
        start_it = [*as_user, binary / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"]
        subprocess.run(start_it, check=True, stdout=subprocess.DEVNULL, cwd="/")
        yield f"postgresql://tests@/postgres?host={folder}"
    finally:
        subprocess.run([*as_user, binary / "pg_ctl", "-D", data, "-m", "immediate", "stop"], capture_output=True, check=False, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def fresh_postgres(postgres: str) -> Iterator[str]:
    """The URL of a database that no other test has written to."""
    import psycopg

    name = f"fresh_{secrets.token_hex(5)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type] - the name is ours
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service over each kind of database: every test that takes it states a rule for both."""
    database = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with started(tmp_path_factory.mktemp("service") / "home", database) as running:
        yield running


__all__ = ["ApiException", "Running", "start"]
