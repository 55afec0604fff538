"""Other users, of this machine and of the networks beside it: processes that may do what such users may. Only root can start them."""

import contextlib
import ctypes
import encodings.idna  # noqa: F401 - what `socket` would import later may be where another user cannot read
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trialflow.home import Home

NOBODY = 65534
CLONE_NEWNET = 0x40000000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")


def become_nobody(network: str | None = None) -> None:
    """Be another user from here on, in the network namespace `network` if one is named."""
    if network is not None:
        with open(f"/run/netns/{network}") as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"could not enter the network namespace {network}")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def as_nobody(attempt: Callable[[], Any], *, network: str | None = None) -> Any:
    """What `attempt` returns in a process of another user; an OSError comes back as its class's name."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        answer: Any = "no answer"
        try:
            os.closerange(0, writer), os.closerange(writer + 1, 1024)  # nothing that we hold open
            become_nobody(network)
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


def asked(address: tuple[str, int], method: str, path: str, *headers: str, body: str = "") -> str:
    """The answer of whoever listens at an address, head and body."""
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(body)}", *headers)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(("".join(f"{line}\r\n" for line in lines) + f"\r\n{body}").encode())
        answer = b""
        while chunk := connection.recv(1 << 16):
            answer += chunk
    return answer.decode(errors="replace")


class neighbour_at:  # noqa: N801
    """Another user's process that listens at a port, as soon as that is free, and keeps what it is sent."""

    def __init__(self, port: int) -> None:
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                become_nobody()
                with self._listener(port) as listener:
                    os.write(writer, b"listening\n")
                    while True:
                        connection = listener.accept()[0]
                        connection.settimeout(2)
                        os.write(writer, connection.recv(65536) or b"a connection that said nothing\n")
                        connection.close()
            finally:
                os._exit(1)
        os.close(writer)

    @staticmethod
    def _listener(port: int) -> socket.socket:
        deadline = time.monotonic() + 60
        while True:
            try:
                return socket.create_server(("127.0.0.1", port))
            except OSError:  # a server that was killed may hold its port for a moment longer
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

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


@dataclass(frozen=True)
class Network:
    """A network namespace `name`, with a cable to this machine: `ours` is this machine's address on it, `device` its end here."""

    name: str
    ours: str
    device: str

    def let_loopback_in(self) -> None:
        """Have both ends take packets to and from 127.0.0.1 for what they are, as kube-proxy does on the nodes of a cluster."""
        for place, device in ((None, self.device), (self.name, "there")):
            at = ["ip", "netns", "exec", place] if place else []
            _run(*at, "sh", "-c", f"echo 1 >/proc/sys/net/ipv4/conf/{device}/route_localnet")
        inside = ("ip", "-n", self.name)
        _run(*inside, "address", "flush", "dev", "lo")
        _run(*inside, "route", "add", "127.0.0.1/32", "via", self.ours, "dev", "there")


@contextlib.contextmanager
def network_beside() -> Iterator[Network]:
    """A network namespace with a cable to this machine, gone afterwards. Skips the test, with the reason, where there can be none."""
    word = secrets.token_hex(3)
    name, device, subnet = f"trialflow-{word}", f"tf{word}", f"198.18.{secrets.randbelow(256)}"
    try:
        _run("ip", "netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine makes no network namespaces: {getattr(error, 'stderr', '') or error}")
    try:
        _run("ip", "link", "add", device, "type", "veth", "peer", "name", "there", "netns", name)
        _run("ip", "address", "add", f"{subnet}.1/30", "dev", device)
        _run("ip", "link", "set", device, "up")
        for words in (("address", "add", f"{subnet}.2/30", "dev", "there"), ("link", "set", "there", "up"), ("link", "set", "lo", "up")):
            _run("ip", "-n", name, *words)
        yield Network(name, f"{subnet}.1", device)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)  # the cable goes with its end


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home below a folder that everybody can enter: what protects it is its own."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.setenv("TRIALFLOW_HOME", str(folder / "home"))
    yield Home(folder / "home")
    shutil.rmtree(folder)


def eventually(fact: Callable[[], bool]) -> None:
    """Wait for a fact, for a minute at most."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if fact():
                return
        except FileNotFoundError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen within 60 s")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
