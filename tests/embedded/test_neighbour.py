"""Another user of the machine gets no token, no answer and no key, whatever they connect to, read or listen at.

Only root can become another user: as anybody else these tests are left out.
"""

import asyncio
import json
import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tasks.compute import Attempt
from tasks.experiments.client import ServiceClient, ServiceUnavailable
from tasks.local import LocalCompute
from tests.embedded.neighbours import as_nobody, asked, eventually, home, needs_root, neighbour_at
from trialflow.embedded import lease, service_server
from trialflow.embedded.lease import is_hosted
from trialflow.home import Home

__all__ = ["home"]
pytestmark = needs_root


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
            return asked(("127.0.0.1", port), "GET", path, *headers)

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
            return asked(("127.0.0.1", port), method, path, *headers, body="{}")

        for method, path in (("GET", "/v1/training_runs/1"), ("MERGE", "/v1/training_runs/1"), ("GET", "/v1/tokens/self"), ("PUT", "/uploads/x")):
            for headers in ((), ("Authorization: Bearer guessed",), ("Authorization: Basic Og==",)):
                assert as_nobody(lambda method=method, path=path, headers=headers: ask(method, path, *headers)).startswith("HTTP/1.1 403")
        assert "run-1-secret" not in seen.read_text()
    finally:
        await compute.stop(attempt, grace=0.1)
