"""The process that keeps one server alive for as long as a command uses it. Standard library only: it starts in milliseconds.

Started by `lease` as `python host.py FOLDER`. The folder's files are the whole protocol:

- `server.json` says what to run: `{"command": [...], "environment": {...}, "log": path, "health": url or null, "url": url or null}`,
  and `"nice"` if it is to stand back for others once it is up, and `"user"` (`name:password`) if `health` asks for one: a port may have been
  taken by somebody else's server meanwhile, which must not be taken for this one.
- `host.lock` is locked by this process for its life, so whoever can lock it knows that there is no host.
- `users.lock` is locked (shared) by every command that uses the server. This process waits for the exclusive lock: it gets it when the
  last user is gone, however that one ended, and then ends the server. A command that comes meanwhile waits for the end and starts anew.
- `endpoint.json` exists while the server answers; `port` is the last port it had.
- `child.json` names the server's process, so that a host that comes after a crash can end what was left.

The server is started again, at the same address, when it dies while it is in use.
"""

import base64
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

RESTARTS = 5
"""A server that dies this often within `RESTART_WINDOW` seconds is given up."""
RESTART_WINDOW = 30.0
READY_SECONDS = 120.0
GRACE_SECONDS = 10.0


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux; elsewhere `child.json` serves)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


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
        begin = time.monotonic()
        try:
            url = self._start()
        except OSError as error:
            return self._refuse(announce, f"{self.plan['command'][0]} could not be started: {error}")
        if url is None:
            late = time.monotonic() - begin >= READY_SECONDS
            return self._refuse(announce, f"no answer after {READY_SECONDS:.0f} s" if late else "it ended before it answered")
        self._publish(url)
        tell(announce, {"url": url})
        threading.Thread(target=self._wait_for_last_user, daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        code = self._watch()
        (self.folder / "endpoint.json").unlink(missing_ok=True)
        (self.folder / "child.json").unlink(missing_ok=True)
        return code

    def child_ended(self) -> bool:
        """Whether the server's process is gone."""
        return self.child is None or self.child.poll() is not None

    def _refuse(self, announce: int, problem: str) -> int:
        self._end_child()
        tell(announce, {"problem": problem})
        return 1

    def _start(self) -> str | None:
        """Start the server and wait until it answers. Returns its address, None if it ended or did not answer in time."""
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        with open(self.plan["log"], "ab") as log:
            self.child = subprocess.Popen(
                self.plan["command"],
                env={**self.plan["environment"], "TRIALFLOW_READY_FD": str(writer)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        os.close(writer)
        (self.folder / "child.json").write_text(json.dumps({"pid": self.child.pid, "started": time.time()}))
        if self.plan["health"] is None:
            with os.fdopen(reader) as announced:
                line = announced.readline()
            return json.loads(line)["url"] if line else None
        os.close(reader)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self.child_ended():
            if answers(self.plan["health"], self.plan.get("user")):
                return self.plan["url"]
            time.sleep(0.05)
        return None

    def _publish(self, url: str) -> None:
        if self.child and self.plan.get("nice"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.child.pid, self.plan["nice"])
        temporary = self.folder / "endpoint.json.new"
        temporary.write_text(json.dumps({"url": url, "host_pid": os.getpid(), "pid": self.child.pid if self.child else None}))
        temporary.rename(self.folder / "endpoint.json")
        # A server that chose its port keeps it when it is started again: models and flows know the address.
        port = url.rsplit(":", 1)[1].split("/")[0]
        (self.folder / "port").write_text(port)
        self.plan["command"] = [part.replace("{port}", port) for part in self.plan["again"] or self.plan["command"]]

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
            if (url := self._start()) is None and not self.stopping.is_set():
                continue
            if url:
                self._publish(url)

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


def answers(health: str, user: str | None = None) -> bool:
    """Whether the address answers with success, to `user` if one is given."""
    request = urllib.request.Request(health)
    if user is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


def main(folder: str, announce: int) -> int:
    """Keep the server of `folder`; exit code 0 if it ended because nobody used it any more."""
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
        except OSError as error:  # a full disk, most likely
            tell(announce, {"problem": f"{error.strerror} ({error.filename or folder})"})
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
