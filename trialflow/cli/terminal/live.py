"""The progress of an experiment: a live table on a terminal, one line per finished training run elsewhere. Both on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.screen import screen
from trialflow.events import Event
from trialflow.results.best import best_text
from trialflow.results.board import Board, line_of
from trialflow.results.spending import dollars
from trialflow.results.text import clean, duration, text_of

SHOWN = 8
"""How many training runs in flight the table lists."""
NARROW, NAME_WHERE_NARROW = 100, 15
"""The width below which a terminal counts as narrow, and the width of an experiment's name on one."""


class View(Protocol):
    """Shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


class Lines:
    """One line for each event worth reading later, for logs and pipes."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __call__(self, event: Event) -> None:
        """Take one event and print its line, if it has one."""
        self.board.take(event, time.monotonic())
        if line := line_of(event, self.board):
            say(line)


class Table:
    """The live table, on the screen of this process."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.screen = screen()
        self.console = self.screen.console

    def __call__(self, event: Event) -> None:
        """Take one event; failures stay above the table."""
        self.board.take(event, time.monotonic())
        if event.kind in ("failed", "lost", "pending", "waiting", "warning", "verdict") and (line := line_of(event, self.board)):
            self.console.print(clean(line), markup=False, highlight=False, style="red" if event.kind == "failed" else "yellow")
        self.screen.changed()

    def render(self) -> Any:
        """The current table; None before the experiment is known."""
        from rich import box
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        board = self.board
        if not board.experiment_id:
            return None
        top = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        early = [("STOPPED", board.stopped)] if board.stops else []
        cost = [("COST", dollars(board.cost))] if board.cost is not None else []
        is_narrow = self.console.width < NARROW
        top.add_column("NAME", no_wrap=True, max_width=NAME_WHERE_NARROW - (len(early) + len(cost)) * 8 if is_narrow else None)
        for column in (
            "DONE/BUDGET",
            "RUNNING",
            "LOST",
            "FAILED",
            *(name for name, _ in early),
            *(name for name, _ in cost),
            "BEST",
            "ETA",
            "STATUS",
        ):
            top.add_column(column, no_wrap=column != "BEST")
        best = best_text(board.metrics, board.best and board.best.values, is_short=is_narrow)
        cells = [board.name, board.progress, len(board.running), board.lost, board.failed, *(count for _, count in (*early, *cost))]
        top.add_row(*(Text(text_of(cell)) for cell in (*cells, best, duration(board.eta), board.status)))
        if not board.running:
            return top
        flight = RichTable(box=None, pad_edge=False, header_style="dim")
        for column in ("RUNNING", "FOR", "ASSIGNMENTS"):
            flight.add_column(column, overflow="ellipsis", no_wrap=True)
        now = time.monotonic()
        for run, since in list(board.running.values())[:SHOWN]:
            cells = (run["id"], duration(now - since), run.get("assignments"))
            flight.add_row(*(Text(text_of(cell)) for cell in cells))
        if len(board.running) > SHOWN:
            flight.add_row(f"and {len(board.running) - SHOWN} more", "", "")
        return Group(top, flight)


@contextmanager
def shown(board: Board) -> Iterator[View]:
    """The view that suits stderr."""
    if not sys.stderr.isatty():
        yield Lines(board)
        return
    table = Table(board)
    with table.screen.drawing(table.render, stays=True):
        yield table
