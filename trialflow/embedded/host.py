"""The process that keeps one server alive for as long as a command uses it. Standard library only: it starts in milliseconds.

Started by `lease` as `python -I host.py FOLDER`. It binds the server's sockets itself and keeps them for its life: nobody else can listen at the port
meanwhile, not even while the server starts again. The folder's files are the whole protocol:

- `server.json` says what to run: `{"command": [...], "log": path, "ports": [...], "nice": number}`. The first free port is used; 0 is any.
  It holds no environment and no secret: the server inherits this process's environment.
- `host.lock` is locked by this process for its life, so whoever can lock it knows that there is no host.
- `users.lock` is locked (shared) by every command that uses the server. This process waits for the exclusive lock: it gets it when the
  last user is gone, however that one ended, and then ends the server. A command that comes meanwhile waits for the end and starts anew.
- `socket` is the server's Unix socket. The folder is the user's alone, so whoever answers there is the user's server; a port proves nothing.
- `endpoint.json` exists while the server answers; `port` is the last port it had.
- `child.json` names the server's process, so that a host that comes after a crash can end what was left.

The server gets its listening sockets as descriptors (TRIALFLOW_LISTEN_FDS, the TCP one first), and writes a line to TRIALFLOW_READY_FD once it
answers. When it dies while it is in use, it is started again on the same sockets: requests that come meanwhile wait.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

RESTARTS = 5
"""A server that dies this often within `RESTART_WINDOW` seconds is given up."""
RESTART_WINDOW = 30.0
READY_SECONDS = 300.0
"""The first start makes the databases, which takes minutes on a slow or busy disk."""
GRACE_SECONDS = 10.0
LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes on Linux, 103 on macOS."""


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux; elsewhere `child.json` serves)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def listen_on_loopback(ports: list[int]) -> socket.socket:
    """A socket that listens at the first free one of `ports`; 0 is any. Raises OSError if there is none."""
    problem = OSError("no port was given")
    for port in ports:
        # The protocol is named because asyncio switches off Nagle's algorithm only then; with it every answer that has a body takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(256)
            return listener
        except OSError as error:
            listener.close()
            problem = error
    raise problem


def listen_on_path(path: Path) -> "socket.socket | None":
    """A Unix socket that listens at `path`, for the user alone; None where the file system has none."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with short_path(path) as name:
            listener.bind(name)
        listener.listen(256)
        return listener
    except OSError:
        listener.close()
        return None
    finally:
        os.umask(before)


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for a socket's path that is short enough for the kernel, for as long as it is used."""
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Host:
    """One server's keeper; `folder` as in the module's description."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = json.loads((folder / "server.json").read_text())
        self.child: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
        self.deaths: list[float] = []

    def run(self, announce: int) -> int:
        """Serve until nobody uses the server; write one JSON line to the descriptor `announce` once it answers or failed."""
        self._end_leftover()
        self.listener = listen_on_loopback(self.plan["ports"])
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.unix_listener = listen_on_path(self.folder / "socket")
        try:
            problem = self._start()
        except OSError as error:
            problem = f"{self.plan['command'][0]} could not be started: {error}"
        if problem:
            self._end_child()
            tell(announce, {"problem": problem})
            return 1
        self._publish()
        tell(announce, {"url": self.url})
        threading.Thread(target=self._wait_for_last_user, daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        code = self._watch()
        for name in ("endpoint.json", "child.json", "socket"):
            (self.folder / name).unlink(missing_ok=True)
        return code

    def child_ended(self) -> bool:
        """Whether the server's process is gone."""
        return self.child is None or self.child.poll() is not None

    def _start(self) -> str | None:
        """Start the server and wait until it answers. Returns None, or why it does not."""
        reader, writer = os.pipe()
        listeners = [one.fileno() for one in (self.listener, self.unix_listener) if one is not None]
        handed = {"TRIALFLOW_LISTEN_FDS": ",".join(map(str, listeners)), "TRIALFLOW_READY_FD": str(writer)}
        with os.fdopen(reader, "rb") as answer:
            try:
                with open(self.plan["log"], "ab") as log:
                    self.child = subprocess.Popen(
                        self.plan["command"],
                        env={**os.environ, **handed},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=[writer, *listeners],
                        start_new_session=True,
                        preexec_fn=die_with_parent,
                    )
            finally:
                os.close(writer)
            (self.folder / "child.json").write_text(json.dumps({"pid": self.child.pid, "started": time.time()}))
            if not select.select([answer], [], [], READY_SECONDS)[0]:
                return f"no answer after {READY_SECONDS:.0f} s"
            return None if answer.readline() else "it ended before it answered"

    def _publish(self) -> None:
        assert self.child is not None
        if self.plan.get("nice"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.child.pid, self.plan["nice"])
        publish(self.folder, self.url, self.child.pid, has_socket=self.unix_listener is not None)

    def _watch(self) -> int:
        while True:
            assert self.child is not None
            self.child.wait()
            if self.stopping.is_set():
                return 0
            now = time.monotonic()
            self.deaths = [death for death in self.deaths if now - death < RESTART_WINDOW] + [now]
            if len(self.deaths) > RESTARTS:
                return 1
            if self._start() is None:
                self._publish()
            if self.stopping.is_set():  # the last user went while it was being started
                self._end_child()

    def _wait_for_last_user(self) -> None:
        # Kept open, and so locked, until this process has ended: a new command must not meet a server that is going down.
        self.users = open(self.folder / "users.lock", "ab")
        fcntl.flock(self.users, fcntl.LOCK_EX)
        self._stop()

    def _stop(self) -> None:
        self.stopping.set()
        (self.folder / "endpoint.json").unlink(missing_ok=True)
        threading.Thread(target=self._end_child, daemon=True).start()

    def _end_child(self) -> None:
        if self.child is None:
            return
        try:
            os.killpg(self.child.pid, signal.SIGTERM)
            self.child.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)

    def _end_leftover(self) -> None:
        """End a server that outlived its host. Only where the kernel does not do it, and only if it is still the same command."""
        try:
            pid = json.loads((self.folder / "child.json").read_text())["pid"]
            shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
            if str(self.folder.parent.parent) in shown or " ".join(self.plan["command"][:4]) in shown:
                os.killpg(pid, signal.SIGKILL)
        except (OSError, ValueError, KeyError):
            return


def tell(announce: int, answer: dict[str, str]) -> None:
    """Answer the command that started this process. It may have been killed meanwhile: others wait for the same server."""
    try:
        os.write(announce, (json.dumps(answer) + "\n").encode())
        os.close(announce)
    except OSError:
        pass


def publish(folder: Path, url: str, pid: int, *, has_socket: bool) -> None:
    """Write down where the server answers. The port is remembered for the next time: links and open pages go on working."""
    facts = {"url": url, "host_pid": os.getpid(), "pid": pid, "socket": str(folder / "socket") if has_socket else None}
    temporary = folder / "endpoint.json.new"
    temporary.write_text(json.dumps(facts))
    temporary.rename(folder / "endpoint.json")
    (folder / "port").write_text(url.rsplit(":", 1)[1])


def main(folder: str, announce: int) -> int:
    """Keep the server of `folder`; exit code 0 if it ended because nobody used it any more."""
    os.umask(0o077)
    with open(Path(folder) / "host.lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(announce, {"problem": "another host is running"})
            return 1
        try:
            # An endpoint that a killed host left behind is told by its pid from ours.
            os.ftruncate(lock.fileno(), 0)
            os.write(lock.fileno(), str(os.getpid()).encode())
            return Host(Path(folder)).run(announce)
        except OSError as error:  # a full disk, most likely, or no port left
            tell(announce, {"problem": f"{error.strerror} ({error.filename or folder})"})
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
