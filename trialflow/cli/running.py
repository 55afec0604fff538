"""Run a flow for a command: Ctrl-C stops it once in order and twice at once (or asked first)."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.api import running
from trialflow.cli.main import is_debugging
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.screen import screen
from trialflow.home import Home

if TYPE_CHECKING:
    from trialflow.events import Event
    from trialflow.results.board import Board


def quiet_prefect(home: Home) -> Path:
    """Keep Prefect's log off the screen: it goes to the UI and to the returned file. With `--debug` it is shown as well."""
    return running.quiet_prefect(home, is_shown=is_debugging())


def run_flow(flow: Callable[[], Awaitable[Any]], *, on_interrupt: str, before_leaving: str | None = None) -> tuple[Any, bool]:
    """Run the flow to its end. Returns what it returned, and whether it was interrupted.

    The first SIGINT or SIGTERM, or a cancellation in Prefect, cancels it (it stops in order, `on_interrupt` is said); a second SIGINT ends this
    process at once with code 130. On a terminal the question `before_leaving` is asked first, if there is one; meanwhile the stop goes on, and a
    third SIGINT is a yes.
    """
    question: Question | None = None

    def interrupt_again() -> None:
        nonlocal question
        if before_leaving is None or not sys.stdin.isatty():
            leave()
            return
        question = question or Question(before_leaving, asyncio.get_running_loop())
        question.ask(leave)

    return running.run_flow(flow, on_interrupt=lambda: say(on_interrupt), on_second_interrupt=interrupt_again)


def run_on_board(
    flow: Callable[[], Awaitable[Any]],
    *,
    ui_url: str,
    on_interrupt: str,
    before_leaving: str | None = None,
    on_event: "Callable[[Event], None]" = lambda _: None,
) -> "tuple[Board, dict[str, Any]]":
    """Run a flow that works on an experiment, and show the experiment's board meanwhile; see `run_flow`.

    What work begins with is said, and where to watch it. Returns the board, and the facts of the flow's end: none if it was interrupted.
    """
    from trialflow.cli.terminal.live import shown
    from trialflow.events import watcher
    from trialflow.results.board import Board, begin_line

    board = Board()
    ended: dict[str, Any] = {}
    with shown(board) as view:

        def watch(event: "Event") -> None:
            if line := begin_line(event):
                say(line)
                if flow_run := event.facts.get("flow_run"):
                    say(f"watch: {ui_url}/runs/flow-run/{flow_run}")
            on_event(event)
            if event.kind == "ended":
                ended.update(event.facts)
            view(event)

        watcher.set(watch)
        run_flow(flow, on_interrupt=on_interrupt, before_leaving=before_leaving)
        board.end(is_finished=bool(ended))
    return board, ended


def leave() -> None:
    """End this process at once."""
    screen().end()
    say("stopped at once; the same command adopts training runs that are still running")
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
