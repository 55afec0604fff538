"""The process that does the API's work: a request is a JSON line on stdin, its answers are JSON lines on the descriptor that it is started with.

A request is `{"call": name, "arguments": {...}}`. Answers are any number of `{"event": ...}` and `{"say": ...}`, then `{"answer": ...}` or
`{"error": {"kind", "message", "hint"}}`. When stdin ends, so does this process, and work in progress stops in order.
"""

import asyncio
import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import bypass_proxies_on_loopback
from trialflow.packages import prefer_own_packages


class Worker:
    """Answers requests, one after the other. The service is leased with the first that needs it, until the end."""

    def __init__(self, descriptor: int) -> None:
        self._out = os.fdopen(descriptor, "w")
        self._requests: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._asked = self._answered = 0
        self._runner = asyncio.Runner()
        self._held = contextlib.AsyncExitStack()
        self._session: tuple[Any, Any] | None = None

    def serve(self) -> None:
        """Answer until the requests end."""
        threading.Thread(target=self._listen, daemon=True).start()
        with self._runner:
            try:
                while (request := self._requests.get()) is not None:
                    self.send(self._answer(request))
                    self._answered += 1
                self._runner.run(self._held.aclose())
            except KeyboardInterrupt:
                pass  # whoever asked is gone

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one line; none, if whoever asked is gone: what is stopped then has to stop in order all the same."""
        with contextlib.suppress(OSError):
            self._out.write(json.dumps(message, default=str) + "\n")
            self._out.flush()

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            self._asked += 1
            self._requests.put(json.loads(line))
        self._requests.put(None)
        if self._asked > self._answered:
            os.kill(os.getpid(), signal.SIGINT)

    def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return {"answer": self._call(request["call"], request["arguments"])}
        except TrialflowError as error:
            return {"error": {"kind": kind_of(error), "message": error.message, "hint": error.hint}}
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and the traceback is kept
            return {"error": {"kind": "TrialflowError", "message": f"{type(error).__name__}: {error}", "hint": _keep(error)}}

    def _call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if name == "optimize":
            from trialflow.api.work import optimize

            return optimize(arguments, self.send)
        from trialflow.api import calls

        return self._runner.run(self._with_service(calls.CALLS[name], arguments))

    async def _with_service(self, call: Any, arguments: Mapping[str, Any]) -> Any:
        from trialflow.api.session import service_session

        if self._session is None:
            self._session = await self._held.enter_async_context(service_session())
        home, client = self._session
        return await call(home, client, **arguments)


def kind_of(error: TrialflowError) -> str:
    """The name of the error's class that `trialflow.errors` has."""
    return next(one.__name__ for one in type(error).__mro__ if one.__module__ == "trialflow.errors")


def _keep(error: Exception) -> str:
    home = Home.from_environment()
    log = home.make(home.logs) / "last-error.log"
    log.write_text("".join(traceback.format_exception(error)))
    return f"this is a bug in trialflow or a problem with this machine; the traceback is in {log}"


def main(descriptor: int) -> None:
    """Serve the process that started this one."""
    prefer_own_packages()
    bypass_proxies_on_loopback(os.environ)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what was started in the background of a shell has it ignored
    Worker(descriptor).serve()
