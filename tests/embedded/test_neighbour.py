"""Another user of the machine gets no token, no answer and no key, whatever they connect to, read or listen at.

Only root can become another user: as anybody else these tests are left out.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Attempt
from tasks.experiments.client import ServiceClient, ServiceUnavailable
from tasks.local import LocalCompute
from trialflow.embedded import lease, service_server
from trialflow.embedded.lease import is_hosted
from trialflow.home import Home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
NOBODY = 65534


def as_nobody(attempt: Callable[[], Any]) -> Any:
    """What `attempt` returns in a process of another user; an OSError comes back as its class's name."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.closerange(0, writer), os.closerange(writer + 1, 1024)  # nothing that we hold open
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = attempt()
        except (OSError, sqlite3.OperationalError) as error:
            answer = type(error).__name__
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home below a folder that everybody can enter: what protects it is its own."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.setenv("TRIALFLOW_HOME", str(folder / "home"))
    yield Home(folder / "home")
    shutil.rmtree(folder)


def test_nothing_in_the_home_can_be_read_or_connected_to(home: Home) -> None:
    with lease(service_server(home)):
        endpoint = json.loads((home.servers / "service" / "endpoint.json").read_text())
        home.prefect_token()
        files = [path for path in home.root.rglob("*") if path.is_file()]
        assert home.token_file in files and home.prefect_token_file in files and len(files) > 6

        def connect() -> None:
            socket.socket(socket.AF_UNIX).connect(endpoint["socket"])

        for path in files:
            assert as_nobody(lambda path=path: path.read_bytes().decode(errors="replace")) == "PermissionError", path
        assert as_nobody(lambda: os.listdir(home.root)) == "PermissionError"
        assert as_nobody(connect) == "PermissionError"
        assert as_nobody(lambda: sqlite3.connect(f"file:{home.service}/trialflow.db?mode=ro", uri=True).execute("select 1")) == "OperationalError"


def test_processes_show_no_token(home: Home) -> None:
    with lease(service_server(home)):
        endpoint = json.loads((home.servers / "service" / "endpoint.json").read_text())
        for pid in (endpoint["pid"], endpoint["host_pid"]):
            assert as_nobody(lambda pid=pid: Path(f"/proc/{pid}/environ").read_text()) == "PermissionError"
            shown = as_nobody(lambda pid=pid: Path(f"/proc/{pid}/cmdline").read_text())
            assert "trialflow" in shown and home.token() not in shown


def test_the_port_answers_nothing_without_the_token(home: Home) -> None:
    with lease(service_server(home)) as held:
        port = int(held.url.rsplit(":", 1)[1])

        def ask(path: str, *headers: str) -> str:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers))
                connection.sendall(f"{head}\r\n".encode())
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            return answer.decode()

        for path in ("/v1/tokens/self", "/v1/clients/1/projects", "/v1/experiments/1", "/v1/aiexperiments/1"):
            assert as_nobody(lambda path=path: ask(path)).startswith("HTTP/1.1 401")
            assert as_nobody(lambda path=path: ask(path, "Authorization: Bearer guessed")).startswith("HTTP/1.1 403")
        assert home.token() not in as_nobody(lambda: ask("/health"))


def take(port: int, option: int) -> str:
    with socket.socket() as theirs:
        theirs.setsockopt(socket.SOL_SOCKET, option, 1)
        theirs.bind(("127.0.0.1", port))
        theirs.listen()
    return "taken"


def test_the_port_cannot_be_taken_while_the_server_runs_or_starts_again(home: Home) -> None:
    with lease(service_server(home)) as held:
        port = int(held.url.rsplit(":", 1)[1])
        for _ in range(3):
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                assert as_nobody(lambda option=option: take(port, option)) == "OSError"
            pid = json.loads((home.servers / "service" / "endpoint.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
            assert as_nobody(lambda: take(port, socket.SO_REUSEADDR)) == "OSError"
            eventually(lambda pid=pid: json.loads((home.servers / "service" / "endpoint.json").read_text())["pid"] != pid)


def test_who_takes_the_port_of_a_dead_service_is_sent_no_token(home: Home) -> None:
    with lease(service_server(home)) as held:
        client = ServiceClient(held.url, home.token())
        assert asyncio.run(client.client_id())
        os.kill(json.loads((home.servers / "service" / "endpoint.json").read_text())["host_pid"], signal.SIGKILL)
        eventually(lambda: not is_hosted(home.servers / "service"))
        with neighbour_at(int(held.url.rsplit(":", 1)[1])) as heard:
            with pytest.raises(ServiceUnavailable):
                asyncio.run(client.experiments())
            with lease(service_server(home)) as anew:  # the address of before is somebody else's now
                assert anew.url != held.url
                assert asyncio.run(ServiceClient(anew.url, home.token()).client_id())
                # The socket's path is the same, so the client of before reaches the new service.
                assert asyncio.run(client.experiments()) == []
            assert heard() == ""
        client.close()


async def test_a_running_model_shows_a_neighbour_nothing_and_its_relay_answers_none(home: Home) -> None:
    async def issue(attempt: Attempt) -> str:
        return "run-1-secret"

    home.make(home.root)
    compute = LocalCompute(home.make(home.training_runs), api_url="http://127.0.0.1:9", issue=issue)
    attempt = Attempt(
        {"id": "1", "name": "run-neighbour", "assignments": {}}, 1, ("sh", "-c", "env > seen; exec sleep 600"), "p", directory=home.root
    )
    await compute.launch(attempt)
    try:
        folder = compute.folder(attempt).path
        seen = home.root / "seen"
        eventually(lambda: "SIGOPT_API_TOKEN=" in seen.read_text())
        known = dict(line.partition("=")[::2] for line in seen.read_text().splitlines())
        port = int(known["SIGOPT_API_URL"].rpartition(":")[2])
        pids = [json.loads((folder / name).read_text())["pid"] for name in ("launcher.json", "model.json")]
        for path in [f"/proc/{pid}/{name}" for pid in pids for name in ("environ", "mem", "fd/0")] + [
            str(folder / "log"),
            str(folder / "journal.jsonl"),
        ]:
            assert as_nobody(lambda path=path: open(path, "rb").read(10).decode("latin-1")) in ("PermissionError", "FileNotFoundError"), path
        for pid in pids:
            shown = as_nobody(lambda pid=pid: Path(f"/proc/{pid}/cmdline").read_text())
            assert known["SIGOPT_API_TOKEN"] not in shown and "run-1-secret" not in shown
            assert as_nobody(lambda pid=pid: os.kill(pid, signal.SIGTERM)) == "PermissionError"

        def ask(method: str, path: str, *headers: str) -> str:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Content-Length: 2", *headers)
                connection.sendall(("".join(f"{line}\r\n" for line in lines) + "\r\n{}").encode())
                return connection.recv(65536).decode()

        for method, path in (("GET", "/v1/training_runs/1"), ("MERGE", "/v1/training_runs/1"), ("GET", "/v1/tokens/self"), ("PUT", "/uploads/x")):
            for headers in ((), ("Authorization: Bearer guessed",), ("Authorization: Basic Og==",)):
                assert as_nobody(lambda method=method, path=path, headers=headers: ask(method, path, *headers)).startswith("HTTP/1.1 403")
        assert "run-1-secret" not in seen.read_text()
    finally:
        await compute.stop(attempt, grace=0.1)


class neighbour_at:  # noqa: N801
    """Another user's process that listens at a port and keeps what it is sent."""

    def __init__(self, port: int) -> None:
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                with socket.create_server(("127.0.0.1", port)) as listener:
                    os.write(writer, b"listening\n")
                    while True:
                        connection = listener.accept()[0]
                        connection.settimeout(2)
                        os.write(writer, connection.recv(65536) or b"a connection that said nothing\n")
                        connection.close()
            finally:
                os._exit(1)
        os.close(writer)

    def __enter__(self) -> Callable[[], str]:
        assert os.read(self.reader, 100) == b"listening\n"
        return self.heard

    def heard(self) -> str:
        """What it was sent until now."""
        os.set_blocking(self.reader, False)
        try:
            return os.read(self.reader, 65536).decode()
        except BlockingIOError:
            return ""

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.reader)


def eventually(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if fact():
                return
        except FileNotFoundError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen within 60 s")
