"""The launcher's own process: `python launch.py FOLDER [READY_FD]`. See `docs/local.md` for the files of a folder.

It takes the folder's lock for life, starts the model in a session of its own, copies what it prints, keeps the journal, and writes `outcome.json`.
Everything that a training run may not need (HTTP, regular expressions) is imported when it is needed: this process is started once for each.
"""

import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from journal import Bell, Journal  # noqa: E402
from model import Model, oom_kills, variables  # noqa: E402

CHUNK = 1 << 16
DRAIN_SECONDS = 0.5
GRACE_SECONDS = 10.0


class Launcher:
    """One attempt of one training run, from the lock to the outcome."""

    def __init__(self, folder, plan):
        self.folder = folder
        self.plan = plan
        self.bell = Bell(os.path.join(folder, "bell"))
        self.journal = Journal(os.path.join(folder, "journal.jsonl"), self.bell)
        self.log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.facts = {"started": time.time()}
        self.deadline = None
        self.kill_at = None
        self.log_problem = None
        self.patterns = None
        self.wakeup, wakeup_writer = os.pipe()
        for descriptor in (self.wakeup, wakeup_writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup_writer)
        signal.signal(signal.SIGTERM, lambda *_: self.end_model("stopped"))
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def run(self, ready):
        """Execute the model and write the outcome. `ready` is told when the model runs."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        token = os.urandom(16).hex()
        environment = variables(self.plan, self.folder, listener.getsockname()[1], token)
        upstream = {name: os.environ.pop("TRIALFLOW_UPSTREAM_" + name.upper(), None) for name in ("url", "token")}
        kills_before = oom_kills()
        self.model = Model(self.plan["command"], self.plan["directory"], environment)
        problem = self.model.start(self.folder)
        if ready is not None:
            os.write(ready, b"1")
            os.close(ready)
        if problem:
            return self.finish(problem=problem)
        if self.plan["timeout"]:
            self.deadline = time.monotonic() + self.plan["timeout"]
        if self.plan["patterns"]:
            from patterns import Patterns

            self.patterns = Patterns(self.plan["patterns"], self.journal, self.write_log)
        status = self.watch(listener, token, upstream)
        self.drain()
        self.model.end_leftovers()
        if self.patterns:
            self.patterns.close()
        self.finish(**self.exit_facts(status, kills_before))

    def watch(self, listener, token, upstream):
        """Copy output and serve the relay until the model has ended. Returns its wait status."""
        sources = [self.model.output, self.wakeup, listener]
        while True:
            readable = select.select(sources, [], [], self.patience())[0]
            if listener in readable:
                from relay import serve

                serve(listener, token, self.plan["training_run"], self.journal, upstream)
                sources.remove(listener)
            if self.model.output in readable and not self.copy():
                sources.remove(self.model.output)
            if self.wakeup in readable:
                try:
                    os.read(self.wakeup, CHUNK)
                except BlockingIOError:
                    pass
            status = self.model.poll()
            if status is not None:
                return status
            now = time.monotonic()
            if self.deadline is not None and now >= self.deadline and self.kill_at is None:
                self.end_model("timed_out")
            if self.kill_at is not None and now >= self.kill_at:
                self.model.signal(signal.SIGKILL)
                self.kill_at = now + 1
            self.bell.tick()
            self.journal.retry()

    def patience(self):
        """Seconds until something is due though nothing happens; None if nothing is."""
        due = [time_ for time_ in (self.kill_at, self.deadline if self.kill_at is None else None) if time_ is not None]
        waits = [max(0.0, min(due) - time.monotonic())] if due else []
        if self.bell.is_due():
            waits.append(0.05)
        if self.journal.is_behind():
            waits.append(1.0)
        return min(waits) if waits else None

    def end_model(self, why):
        """Ask the model to end; it is killed if it has not after the grace."""
        if self.kill_at is None:
            self.facts[why] = True
            self.model.signal(signal.SIGTERM)
            self.kill_at = time.monotonic() + self.plan.get("grace", GRACE_SECONDS)

    def copy(self):
        """Copy what the model printed. Returns whether there may be more."""
        try:
            chunk = os.read(self.model.output, CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        self.write_log(chunk)
        if self.patterns:
            self.patterns.feed(chunk)
        return True

    def write_log(self, chunk):
        """Append to the log; a full disk costs the log, not the model."""
        try:
            os.write(self.log, chunk)
        except OSError as error:
            self.log_problem = "the log is incomplete: " + (error.strerror or str(error))
        self.bell.soon()

    def drain(self):
        """Take what is still in the pipe; something left behind by the model may hold it open, and is not waited for."""
        os.set_blocking(self.model.output, False)
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until:
            ready = select.select([self.model.output], [], [], max(0.0, until - time.monotonic()) if not self.model.is_alone() else 0)[0]
            if not ready or not self.copy():
                return

    def exit_facts(self, status, kills_before):
        """How the model ended, as `Exit` names it."""
        facts = dict(self.facts)
        if os.WIFSIGNALED(status):
            facts["signal"] = os.WTERMSIG(status)
            if facts["signal"] == signal.SIGKILL and not facts.get("timed_out") and not facts.get("stopped"):
                facts["out_of_memory"] = oom_kills() > kills_before
        else:
            facts["code"] = os.WEXITSTATUS(status)
            if facts["code"] == 137 and not facts.get("stopped"):  # a shell says so of a command that was killed
                facts["out_of_memory"] = oom_kills() > kills_before
            elif facts["code"] != 0:
                facts["out_of_memory"] = self.printed_memory_error()
        return facts

    def printed_memory_error(self):
        """Whether the last thing printed is Python's error of having no memory."""
        path = os.path.join(self.folder, "log")
        with open(path, "rb") as log:
            log.seek(max(0, os.path.getsize(path) - 4096))
            lines = log.read().rstrip().splitlines()
        return bool(lines) and lines[-1].split(b":")[0].strip().rsplit(b".", 1)[-1] in (b"MemoryError", b"OutOfMemoryError", b"_ArrayMemoryError")

    def finish(self, **facts):
        """Write the outcome, whole or not at all, and ring."""
        facts.setdefault("started", self.facts["started"])
        facts["ended"] = time.time()
        if self.log_problem:
            facts["log_problem"] = self.log_problem
        self.journal.flush(10.0)
        path = os.path.join(self.folder, "outcome.json")
        for _ in range(60):
            try:
                with open(path + ".new", "w") as file:
                    json.dump(facts, file)
                os.rename(path + ".new", path)
                break
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                time.sleep(1.0)
        self.bell.ring()


def boot_id():
    """What tells one start of this machine from another; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def main(folder, ready):
    """Be the launcher of `folder` unless there is or was one."""
    lock = os.open(os.path.join(folder, "lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    bell = os.path.join(folder, "bell")
    try:
        os.mkfifo(bell, 0o600)
    except FileExistsError:
        pass
    # Open before the lock is taken: whoever sees the lock held may rely on hearing the bell's end.
    held_open = os.open(bell, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    mark = os.path.join(folder, "launcher.json")
    if os.path.exists(mark):
        return 0
    with open(os.path.join(folder, "launch.json")) as file:
        plan = json.load(file)
    with open(mark + ".new", "w") as file:
        json.dump({"pid": os.getpid(), "boot_id": boot_id(), "started": time.time()}, file)
    os.rename(mark + ".new", mark)
    launcher = Launcher(folder, plan)
    os.close(held_open)
    launcher.run(ready)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
