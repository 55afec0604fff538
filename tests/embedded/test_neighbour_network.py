"""A neighbour beyond the machine: another user in a network namespace of its own, with a cable to this machine, gets no answer and no token.

What listens does so on loopback alone, and asks for a token even where a kernel lets others in to loopback. The Prefect server is asked too, from
the namespace and by another user on the same loopback.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tasks.compute import Attempt
from tasks.local import LocalCompute
from tests.embedded.neighbours import Network, as_nobody, asked, eventually, home, needs_root, network_beside
from trialflow.embedded import lease, prefect_server, service_server
from trialflow.home import Home

__all__ = ["home"]
pytestmark = needs_root
LOGIN = "Authorization: Basic dHJpYWxmbG93Omd1ZXNzZWQ="  # trialflow:guessed
QUESTIONS = {
    "service": (("GET", "/v1/tokens/self"), ("GET", "/v1/clients/1/projects"), ("POST", "/v1/training_runs/1/tokens"), ("POST", "/v1/sign_in_codes")),
    "prefect": (
        ("POST", "/api/flow_runs/filter"),
        ("GET", "/api/admin/settings"),
        ("POST", "/api/block_documents/filter"),
        ("GET", "/api/csrf-token"),
    ),
    "relay": (("GET", "/v1/training_runs/1"), ("MERGE", "/v1/training_runs/1"), ("GET", "/v1/tokens/self")),
}
SOCKETS = ("/api/events/out", "/api/events/in", "/api/logs/out", "/api/task_runs/subscriptions/scheduled")


class Listening:
    """What of ours listens, running: its ports, its processes, and every secret that there is."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.ports: dict[str, int] = {}
        self.processes: list[int] = []
        self.secrets = [home.token(), home.prefect_token()]

    def serve(self, name: str, stack: ExitStack) -> int:
        """Have one of the servers running until the stack is left. Returns its port."""
        server = service_server(self.home) if name == "service" else prefect_server(self.home)
        self.ports[name] = int(stack.enter_context(lease(server)).url.rsplit(":", 1)[1])
        endpoint = json.loads((self.home.servers / name / "endpoint.json").read_text())
        self.processes += [endpoint["pid"], endpoint["host_pid"]]
        return self.ports[name]

    async def model(self, compute: LocalCompute) -> Attempt:
        """A training run whose model waits; its relay listens from then on."""
        command = ("sh", "-c", "env > seen.new; mv seen.new seen; exec sleep 600")
        attempt = Attempt({"id": "1", "name": "run-neighbour", "assignments": {}}, 1, command, "p", directory=self.home.root)
        await compute.launch(attempt)
        seen, folder = self.home.root / "seen", compute.folder(attempt).path
        eventually(seen.exists)
        known = dict(line.partition("=")[::2] for line in seen.read_text().splitlines())
        self.ports["relay"] = int(known["SIGOPT_API_URL"].rpartition(":")[2])
        self.processes += [json.loads((folder / name).read_text())["pid"] for name in ("launcher.json", "model.json")]
        self.secrets += [known["SIGOPT_API_TOKEN"], "run-1-secret"]
        return attempt

    def check_answer(self, answer: str, kind: str) -> None:
        """An answer that gives nothing away."""
        assert answer.split(maxsplit=2)[1] in ("401", "403"), (kind, answer)
        assert not [secret for secret in self.secrets if secret in answer]

    def check_asked_at(self, host: str, network: str | None) -> None:
        """Ask everything that listens, without a login and with a wrong one."""
        for kind, port in self.ports.items():
            for method, path in QUESTIONS[kind]:
                for headers in ((), (LOGIN,)):
                    what = lambda: asked((host, port), method, path, *headers, body="{}")  # noqa: B023, E731 - used at once
                    self.check_answer(as_nobody(what, network=network), f"{kind} {method} {path}")


@pytest.fixture
def network() -> Iterator[Network]:
    with network_beside() as one:
        yield one


async def test_a_neighbour_in_a_network_of_its_own_gets_no_token_no_answer_and_no_key(home: Home, network: Network) -> None:
    async def issue(attempt: Attempt) -> str:
        return "run-1-secret"

    with ExitStack() as stack:
        ours = Listening(home)
        port = ours.serve("service", stack)
        compute = LocalCompute(home.make(home.training_runs), api_url=f"http://127.0.0.1:{port}", issue=issue)
        attempt = await ours.model(compute)
        try:
            check_listeners(ours)
            check_nothing_answers(ours, network)
            for place in (network.name, None):
                check_processes_and_files(ours, place)
            ours.check_asked_at("127.0.0.1", None)
            # kube-proxy has nodes take packets for 127.0.0.1 from their networks. Then only the token is left, and it is asked for.
            network.let_loopback_in()
            assert as_nobody(lambda: asked(("127.0.0.1", port), "GET", "/health"), network=network.name).startswith("HTTP/1.1 200")
            ours.check_asked_at("127.0.0.1", network.name)
        finally:
            await compute.stop(attempt, grace=0.1)


@pytest.mark.slow
def test_nor_does_the_prefect_server_tell_it_or_another_user_anything(home: Home, network: Network) -> None:
    with ExitStack() as stack:
        ours = Listening(home)
        ours.serve("prefect", stack)
        check_listeners(ours)
        check_nothing_answers(ours, network)
        for place in (network.name, None):
            check_processes_and_files(ours, place)
        ours.check_asked_at("127.0.0.1", None)
        check_web_sockets(ours, None)
        network.let_loopback_in()
        ours.check_asked_at("127.0.0.1", network.name)
        check_web_sockets(ours, network.name)


def check_nothing_answers(ours: Listening, network: Network) -> None:
    """Neither at this machine's address on the cable nor at the neighbour's own loopback."""
    for port in ours.ports.values():
        for host in (network.ours, "127.0.0.1"):
            told = as_nobody(lambda host=host, port=port: asked((host, port), "GET", "/health"), network=network.name)
            assert told == "ConnectionRefusedError", (host, port, told)


def check_listeners(ours: Listening) -> None:
    """Every socket on which one of our processes listens is one of loopback."""
    found = {
        (one.laddr.ip, one.laddr.port) for pid in ours.processes for one in psutil.Process(pid).net_connections("inet") if one.status == "LISTEN"
    }
    assert {port for _, port in found} >= set(ours.ports.values())
    assert {ip for ip, _ in found} == {"127.0.0.1"}


def check_processes_and_files(ours: Listening, network: str | None) -> None:
    """A network namespace gives no rights over files, sockets and processes of others."""
    for pid in ours.processes:
        for name in ("environ", "mem", "fd", "cwd", "root"):
            path = f"/proc/{pid}/{name}"
            look = os.listdir if name in ("fd", "cwd", "root") else lambda path: open(path, "rb").read(10).decode("latin-1")  # noqa: SIM115
            assert as_nobody(lambda path=path, look=look: look(path), network=network) == "PermissionError", path
        shown = as_nobody(lambda pid=pid: Path(f"/proc/{pid}/cmdline").read_text(), network=network)
        assert shown and not [secret for secret in ours.secrets if secret in shown]
    folders = [ours.home.root, *(path for path in ours.home.root.rglob("*") if path.is_dir())]
    files = [path for path in ours.home.root.rglob("*") if not path.is_dir()]
    assert any(path.is_socket() for path in files) and any(path.suffix == ".db" for path in files) and len(files) > 6

    def opened() -> list[str]:
        """What of ours can be listed, read, written or connected to."""
        mine = [str(path) for path in folders if os.access(path, os.R_OK) or os.access(path, os.W_OK) or os.access(path, os.X_OK)]
        return mine + [str(path) for path in files if os.access(path, os.R_OK) or os.access(path, os.W_OK)]

    assert as_nobody(opened, network=network) == []


def check_web_sockets(ours: Listening, network: str | None) -> None:
    """The web sockets of the Prefect server say nothing to who has no token."""

    def heard(path: str, greeting: dict[str, str] | None) -> str:
        try:
            with connect(
                f"ws://127.0.0.1:{ours.ports['prefect']}{path}", subprotocols=["prefect"] if greeting else None, open_timeout=60, proxy=None
            ) as socket:  # type: ignore[arg-type]
                if greeting:
                    socket.send(json.dumps(greeting))
                return str(socket.recv(60))
        except WebSocketException as error:
            return type(error).__name__

    for path in SOCKETS:
        for greeting in (None, {"type": "auth", "token": "trialflow:guessed"}, {"type": "filter", "filter": {}}):
            told = as_nobody(lambda path=path, greeting=greeting: heard(path, greeting), network=network)
            assert told in ("ConnectionClosedError", "ConnectionClosedOK", "InvalidStatus"), (path, greeting, told)
