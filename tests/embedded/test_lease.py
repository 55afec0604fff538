"""A shared server: started by the first user, ended after the last, alive again after it was killed."""

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import is_running
from trialflow.embedded import Server, lease, running_url, said_if_slow
from trialflow.embedded.lease import is_hosted, lease_async
from trialflow.errors import TrialflowError
from trialflow.events import notices

SERVER = """
import http.server, json, os, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["TRIALFLOW_LISTEN_FDS"].split(",")[0]))
os.write(int(os.environ["TRIALFLOW_READY_FD"]), b"ready\\n")
server.serve_forever()
"""


def server(tmp_path: Path, script: str = SERVER, ports: tuple[int, ...] = (0,)) -> Server:
    program = tmp_path / "server.py"
    program.write_text(script)
    return Server("the test server", tmp_path / "server", (sys.executable, str(program)), tmp_path / "log", ports, environment=dict(os.environ))


def eventually(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if fact():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within 60 s")


class Slow:
    """Takes the place of `lease`: it waits until it is let go, and its lease knows whether it was given back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go, self.released = threading.Event(), threading.Event(), threading.Event()
        monkeypatch.setattr(sys.modules["trialflow.embedded.lease"], "lease", self)

    def __call__(self, one: Server) -> "Slow":
        self.begun.set()
        assert self.go.wait(60)
        return self

    def release(self) -> None:
        self.released.set()


async def test_the_event_loop_goes_on_while_a_server_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    starting = asyncio.ensure_future(lease_async(server(tmp_path)))
    while not slow.begun.is_set():
        await asyncio.sleep(0)
    slow.go.set()  # it is this loop that lets it go
    async with asyncio.timeout(60):
        assert await starting is slow and not slow.released.is_set()


async def test_whoever_is_cancelled_while_a_server_starts_gives_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    starting = asyncio.ensure_future(lease_async(server(tmp_path)))
    while not slow.begun.is_set():
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not slow.released.is_set()
    slow.go.set()
    async with asyncio.timeout(60):
        while not slow.released.is_set():
            await asyncio.sleep(0.01)


def endpoint(one: Server) -> dict:
    return json.loads((one.folder / "endpoint.json").read_text())


def test_two_users_share_one_server_and_it_ends_after_the_last(tmp_path: Path) -> None:
    one = server(tmp_path)
    with lease(one) as first:
        pid = endpoint(one)["pid"]
        with lease(one) as second:
            assert first.started_it and not second.started_it
            assert second.url == first.url == running_url(one.folder)
        assert is_running(pid)
    eventually(lambda: not is_running(pid) and running_url(one.folder) is None)


def test_a_user_that_was_killed_counts_as_gone(tmp_path: Path) -> None:
    one = server(tmp_path)
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from tests.embedded.test_lease import server, lease\n"
        "held = lease(server(Path(sys.argv[2]))); print('up', flush=True); time.sleep(60)"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root) as user:
        assert user.stdout and user.stdout.readline() == "up\n"
        pid = endpoint(one)["pid"]
        user.kill()
    eventually(lambda: not is_running(pid))


def test_a_server_that_is_killed_comes_back_at_the_same_address(tmp_path: Path) -> None:
    one = server(tmp_path)
    with lease(one) as held:
        pid = endpoint(one)["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: (one.folder / "endpoint.json").exists() and endpoint(one)["pid"] != pid)
        assert endpoint(one)["url"] == held.url


def test_a_killed_host_takes_its_server_along_and_the_next_user_starts_anew(tmp_path: Path) -> None:
    one = server(tmp_path)
    with lease(one):
        before = endpoint(one)
        os.kill(before["host_pid"], signal.SIGKILL)
        eventually(lambda: not is_running(before["pid"]) and not is_hosted(one.folder))
        with lease(one) as second:
            assert second.started_it


def test_a_user_that_comes_while_it_goes_down_gets_a_new_one(tmp_path: Path) -> None:
    one = server(tmp_path)
    for _ in range(5):
        with lease(one) as held:
            assert running_url(one.folder) == held.url


def test_a_server_that_cannot_start_is_said_with_its_own_words(tmp_path: Path) -> None:
    one = server(tmp_path, "raise SystemExit('the database is from the future')")
    with pytest.raises(TrialflowError, match="(?s)could not start the test server.*the database is from the future"):
        lease(one).release()
    assert running_url(one.folder) is None


def test_a_server_whose_starter_was_killed_is_waited_for(tmp_path: Path) -> None:
    slow = server(tmp_path, "import time; time.sleep(1)\n" + SERVER)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from tests.embedded.test_lease import server, lease, SERVER\n"
        "print('up', flush=True); lease(server(Path(sys.argv[2]), 'import time; time.sleep(1)\\n' + SERVER))"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root) as starter:
        eventually(lambda: is_hosted(slow.folder))
        starter.kill()
    with lease(slow) as held:
        assert running_url(slow.folder) == held.url


def test_an_address_that_a_killed_host_left_is_not_believed(tmp_path: Path) -> None:
    one = server(tmp_path)
    with lease(one):
        before = endpoint(one)
        os.kill(before["host_pid"], signal.SIGKILL)
        eventually(lambda: not is_running(before["pid"]) and not is_hosted(one.folder))
        (one.folder / "endpoint.json").write_text(json.dumps(before))
        with lease(one):
            assert endpoint(one)["host_pid"] != before["host_pid"]


def test_a_port_that_somebody_else_has_is_left_to_them(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        taken = theirs.getsockname()[1]
        with lease(server(tmp_path, ports=(taken, 0))) as held:
            assert not held.url.endswith(f":{taken}")


def test_nobody_can_have_the_port_while_the_server_starts_again(tmp_path: Path) -> None:
    slow = server(
        tmp_path, "import os, time; time.sleep(0.5 if os.path.exists(__file__ + '.again') else 0); open(__file__ + '.again', 'w')\n" + SERVER
    )
    with lease(slow) as held:
        port = int(held.url.rsplit(":", 1)[1])
        os.kill(endpoint(slow)["pid"], signal.SIGKILL)
        with socket.socket() as neighbour:
            neighbour.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError):
                neighbour.bind(("127.0.0.1", port))
        with urllib.request.urlopen(held.url, timeout=10) as answer:  # it waits for the new server
            assert answer.status == 200


def test_what_is_written_down_holds_no_environment_and_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "do-not-write-this-down")
    one = server(tmp_path)
    with lease(one):
        written = b"".join(path.read_bytes() for path in one.folder.iterdir() if path.is_file())
        assert b"do-not-write-this-down" not in written and b"environment" not in written
        assert all(path.lstat().st_mode & 0o077 == 0 for path in one.folder.iterdir() if path.name not in ("users.lock", "start.lock"))


def test_an_address_at_which_nobody_listens_is_given_to_nobody(tmp_path: Path) -> None:
    one = server(tmp_path)
    one.folder.mkdir()
    code = (
        "import fcntl, json, os, sys, time; os.chdir(sys.argv[1])\n"
        "lock = open('host.lock', 'w'); fcntl.flock(lock, fcntl.LOCK_EX); lock.write(str(os.getpid())); lock.flush()\n"
        "json.dump({'url': 'http://127.0.0.1:9', 'host_pid': os.getpid()}, open('endpoint.json', 'w')); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(one.folder)], stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout and dying.stdout.readline() == "up\n"
        assert is_hosted(one.folder) and running_url(one.folder) is None
        dying.kill()
    with lease(one) as held:
        assert held.started_it and running_url(one.folder) == held.url


def test_a_server_that_starts_slowly_has_a_word_said_about_it_once_and_a_quick_one_has_none(tmp_path: Path) -> None:
    said: queue.Queue[str] = queue.Queue()
    token = notices.set(said.put)
    try:
        with said_if_slow(server(tmp_path), seconds=0):
            sentence = said.get(timeout=60)
        with said_if_slow(server(tmp_path), seconds=3600):
            pass
    finally:
        notices.reset(token)
    assert "the test server" in sentence and str(tmp_path / "log") in sentence and said.empty()


def test_the_notice_ends_with_the_wait(tmp_path: Path) -> None:
    token = notices.set(print)
    try:
        with said_if_slow(server(tmp_path), seconds=3600):
            (timer,) = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    finally:
        notices.reset(token)
    timer.join(60)
    assert not timer.is_alive()
