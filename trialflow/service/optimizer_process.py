"""The optimizer in a process of its own: it takes no time from requests, and it ends with the service, whatever it is computing.

`python -m trialflow.service.optimizer_process` is that process: pickled jobs on its standard input, pickled answers on its standard output. It ends
when its input does, so it outlives a service that was killed by one job at most.
"""

import importlib
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from typing import IO, Any

logger = logging.getLogger(__name__)
INTERACTIVE, BACKGROUND, LAST = 0, 1, 2
"""What a request waits for goes before what was computed in advance."""
NICE = 5


class OptimizerProcessEnded(RuntimeError):
    """The process ended before it answered."""


@dataclass(order=True)
class _Job:
    urgency: int
    number: int
    function: str | None = field(compare=False)
    arguments: tuple = field(compare=False)
    future: Future = field(compare=False)


class OptimizerProcess:
    """Calls functions in one other process, one at a time, the urgent ones first. The process is started at the first job, or by `start`."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="optimizer", daemon=True)
        self._thread.start()

    def submit(self, function: str, *arguments: Any, urgency: int = INTERACTIVE) -> Future:
        """Have the function `module:name` called there; its module need not be imported here.

        Its future raises what it raises, and `OptimizerProcessEnded` if the process dies twice over it."""
        future: Future = Future()
        self._jobs.put(_Job(urgency, next(self._numbers), function, arguments, future))
        return future

    def start(self) -> None:
        """Have the process get ready for its first job."""
        self.submit("importlib:import_module", "trialflow.service.adapter", urgency=BACKGROUND)

    def close(self) -> None:
        """End at once: what is under way is given up."""
        with self._starting:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()
        self._jobs.put(_Job(LAST, next(self._numbers), None, (), Future()))
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()).function is not None:
            if self._is_closed or not job.future.set_running_or_notify_cancel():
                job.future.cancel()
                continue
            try:
                answer = self._ask_twice(job)
            except Exception as error:
                job.future.set_exception(error)
            else:
                is_good, result = answer
                job.future.set_result(result) if is_good else job.future.set_exception(result)
        if self._process is not None:
            self._process.wait()

    def _ask_twice(self, job: _Job) -> tuple[bool, Any]:
        try:
            return self._ask(job)
        except OptimizerProcessEnded:
            if self._is_closed:
                raise
            logger.warning("the optimizer's process ended (%s); it is started again", self._process.poll() if self._process else None)
            self._process = None
            return self._ask(job)

    def _ask(self, job: _Job) -> tuple[bool, Any]:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump((job.function, job.arguments), process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise OptimizerProcessEnded("the optimizer's process ended before it answered") from error

    def _running(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._is_closed:
                raise OptimizerProcessEnded("the service is ending")
            if self._process is None:
                command = [sys.executable, "-m", "trialflow.service.optimizer_process"]
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return self._process


def answer(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Do jobs until there are no more."""
    while True:
        try:
            function, arguments = pickle.load(jobs)
        except EOFError:
            return
        try:
            module, _, name = function.partition(":")
            result = (True, getattr(importlib.import_module(module), name)(*arguments))
        except Exception as error:
            result = (False, error)
        try:
            data = pickle.dumps(result)
        except Exception as error:
            data = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}; {result[1]!r}")))
        answers.write(data)
        answers.flush()


def main() -> None:
    """Do the jobs of the service that started this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this one
    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answers
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    answer(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
