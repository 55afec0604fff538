"""Run a flow in this process: Prefect set up quietly, Ctrl-C once in order and twice at once (or asked first), our packages before the user's."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any

import trialflow
from trialflow.cli.main import is_debugging
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.screen import screen
from trialflow.errors import TrialflowError
from trialflow.home import Home

UNREACHABLE = "Failed to reach API"
"""What Prefect says, in an error of no kind of its own, of a server that does not answer."""
DRAIN_SECONDS = 5.0
ROOMS = ("tasks", "blocks", "flows")


def import_rooms() -> None:
    """Import our top-level packages from beside this one, even where the user's folder holds packages of the same names."""
    ours = str(Path(trialflow.__file__).parent.parent)
    kept = list(sys.path)
    sys.path.insert(0, ours)
    try:
        for room in ROOMS:
            module = __import__(room)
            found = Path(module.__file__ or "").parent.parent
            if str(found) != ours:
                raise TrialflowError(
                    f"Python found a package {room!r} in {found} where trialflow's own was expected",
                    hint=f"reinstall trialflow; its own is in {ours}",
                )
    finally:
        sys.path[:] = kept


def import_flows() -> None:
    """Import our flows, and Prefect with them: its variables must be set by then."""
    import_rooms()
    # Nothing that an import makes is garbage, and looking for it is a tenth of the work.
    gc.disable()
    try:
        import_module("flows.execution")
    finally:
        gc.enable()


def quiet_prefect(home: Home) -> Path:
    """Keep Prefect's log off the screen: it goes to the UI and to the returned file. With `--debug` it is shown as well."""
    import prefect.logging.configuration

    prefect.logging.configuration.setup_logging()
    log = home.make(home.logs) / "flows.log"
    file = logging.FileHandler(log)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", ""):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if type(handler).__name__ == "PrefectConsoleHandler" and not is_debugging():
                logger.removeHandler(handler)
        if not logger.propagate or not name:
            logger.addHandler(file)
    return log


def run_flow(flow: Callable[[], Coroutine[Any, Any, Any]], *, on_interrupt: str, before_leaving: str | None = None) -> tuple[Any, bool]:
    """Run the flow to its end. Returns what it returned, and whether it was interrupted.

    The first SIGINT or SIGTERM, or a cancellation in Prefect, cancels it (it stops in order, `on_interrupt` is said); a second SIGINT ends this
    process at once with code 130. On a terminal the question `before_leaving` is asked first, if there is one; meanwhile the stop goes on, and a
    third SIGINT is a yes.
    """
    from prefect.exceptions import CancelledRun

    from flows.cancelling import interrupt as interrupt_of_flow

    interrupted = False

    async def main() -> Any:
        nonlocal interrupted
        loop = asyncio.get_running_loop()
        question = Question(before_leaving, loop) if before_leaving and sys.stdin.isatty() else None

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                leave() if question is None else question.ask(leave)
                return
            interrupted = True
            say(on_interrupt)
            work.cancel()

        interrupt_of_flow.set(interrupt)
        work = asyncio.ensure_future(flow())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            return await work
        except (asyncio.CancelledError, CancelledRun):
            return None
        except RuntimeError as error:
            if UNREACHABLE not in str(error):
                raise
            hint = "PREFECT_API_URL, or Prefect's profile, names it; without either a command brings up a server of its own"
            raise TrialflowError(f"Prefect's server does not answer: {error}", hint=hint) from error

    try:
        result = asyncio.run(main())
    finally:
        drain_prefect()
    if interrupted:  # somebody in a hurry may press it again while this process says goodbye
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    return result, interrupted


def drain_prefect() -> None:
    """Have Prefect send the last logs and events now: a server of ours may be gone a moment later."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=DRAIN_SECONDS)


def leave() -> None:
    """End this process at once."""
    screen().end()
    say("stopped at once; training runs that still run are taken up by the same command")
    os._exit(130)


class Question:
    """A question on the terminal that is answered while the event loop goes on."""

    def __init__(self, text: str, loop: asyncio.AbstractEventLoop) -> None:
        self.text = text
        self._loop = loop
        self._is_open = False

    def ask(self, if_yes: Callable[[], None]) -> None:
        """Ask, and call `if_yes` if the answer is yes; asked again while it is open, that is a yes."""
        if self._is_open:
            if_yes()
            return
        self._is_open = True
        say(f"{self.text} [y/N]")

        def answered() -> None:
            self._loop.remove_reader(sys.stdin.fileno())
            self._is_open = False
            if os.read(sys.stdin.fileno(), 1024).strip().lower() in (b"y", b"yes"):
                if_yes()
            else:
                say("still stopping")

        self._loop.add_reader(sys.stdin.fileno(), answered)
