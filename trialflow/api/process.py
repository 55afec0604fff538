"""The user's end of trialflow's own process: starts it, sends requests, gets answers. See `worker.py`."""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from trialflow import errors
from trialflow.api.environment import check_folder, check_service_variables
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.home import Home
from trialflow.packages import ROOT

Message = Mapping[str, Any]
PROGRAM = "import sys; sys.path.append({root!r}); from trialflow.api.worker import main; main({descriptor})"
SETTINGS = ("TRIALFLOW_", "SIGOPT_", "PREFECT_")
END_SECONDS = 30.0


class OwnProcess:
    """One process that answers requests. Whatever it prints goes to a log: this process's output is the user's."""

    def __init__(self) -> None:
        check_folder()
        check_service_variables()
        home = Home.from_environment()
        self._log = home.make(home.logs) / "python-api.log"
        reader, writer = os.pipe()
        command = [sys.executable, "-P", "-c", PROGRAM.format(root=ROOT, descriptor=writer)]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[writer], start_new_session=True, env=dict(os.environ)
            )
        os.close(writer)
        self._answers = os.fdopen(reader, "rb")

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def call(self, name: str, arguments: Message, on_message: Callable[[Message], None] = lambda message: None) -> Any:
        """The answer to a request. `on_message` gets events and sentences meanwhile. Raises the `TrialflowError` that is the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"call": name, "arguments": arguments}, default=plain).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is told below
        return self.drain(on_message)

    def drain(self, on_message: Callable[[Message], None]) -> Any:
        """Take what is sent until the answer to a request comes. Returns or raises as `call`."""
        while line := self._answers.readline():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # an interrupt came while it was read
            if "answer" in message:
                return message["answer"]
            if "error" in message:
                raise _raised(**message["error"])
            on_message(message)
        raise TrialflowError(f"trialflow's own process ended ({self._process.wait()})", hint=f"its log is {self._log}")

    def interrupt(self) -> None:
        """Have it stop in order what it does, and end; a second time, end at once and leave what runs."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End it: it stops in order what it does. What it started by leaving is left."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._answers.close()


class Asking:
    """The process that is asked for what the service knows: one for the life of this process, or as long as its settings stay the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: OwnProcess | None = None
        self._settings: tuple[Any, ...] = ()

    def __call__(self, name: str, **arguments: Any) -> Any:
        """The answer to a request. Raises `TrialflowError`."""
        with self._lock:
            settings = (os.getpid(), *sorted(item for item in os.environ.items() if item[0].startswith(SETTINGS)))
            if self._process is None or not self._process.is_alive or settings != self._settings:
                self._end()
                self._process, self._settings = OwnProcess(), settings
                atexit.register(self._end)
            try:
                return self._process.call(name, arguments)
            except KeyboardInterrupt:
                self._end()  # its answer would be taken for the next one's
                raise

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._settings[0] == os.getpid():
            process.close()


ask = Asking()


def plain(value: Any) -> Any:
    """A value of numpy or the like as Python's own; a path as text. Raises `InvalidInput` for anything else."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__fspath__"):
        return os.fspath(value)
    raise InvalidInput(f"{str(value)[:100]!r} is a {type(value).__name__}", hint="expected are dicts, lists, texts, numbers and True or False")


def _raised(kind: str, message: str, hint: str | None) -> TrialflowError:
    return getattr(errors, kind)(message, hint=hint)
