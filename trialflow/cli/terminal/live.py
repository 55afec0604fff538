"""How a running experiment is shown: one live table on a terminal, one line per finished training run elsewhere. On stderr, both."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from trialflow.cli.terminal.messages import say, warn
from trialflow.cli.terminal.output import text_of
from trialflow.cli.terminal.screen import screen
from trialflow.events import Event
from trialflow.metrics import values_of
from trialflow.results.board import Board

SHOWN = 8
"""How many training runs in flight the table lists."""
NARROW, NAME_WHERE_NARROW = 100, 15
"""Columns of a terminal, and of an experiment's name on a narrower one."""


class View(Protocol):
    """Something that shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


class Lines:
    """One line for each thing that a person would want to read later: for logs and pipes."""

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
        if event.kind in ("failed", "lost", "pending", "waiting") and (line := line_of(event, self.board)):
            self.console.print(line, markup=False, highlight=False, style="red" if event.kind == "failed" else "yellow")
        self.screen.changed()

    def render(self) -> Any:
        """The table as it is now; None before there is an experiment."""
        from rich import box
        from rich.console import Group
        from rich.table import Table as RichTable

        board = self.board
        if not board.experiment_id:
            return None
        top = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        early = [("STOPPED", str(board.stopped))] if board.stops else []
        is_narrow = self.console.width < NARROW
        top.add_column("NAME", no_wrap=True, max_width=NAME_WHERE_NARROW - len(early) * 8 if is_narrow else None)
        for column in ("DONE/BUDGET", "RUNNING", "LOST", "FAILED", *(name for name, _ in early), "BEST", "ETA", "STATUS"):
            top.add_column(column, no_wrap=column != "BEST")
        top.add_row(
            board.name, f"{board.done}/{board.budget or 'unlimited'}", str(len(board.running)), str(board.lost), str(board.failed),
            *(count for _, count in early), best_of(board, is_short=is_narrow), duration(board.eta), board.status,
        )  # fmt: skip
        if not board.running:
            return top
        flight = RichTable(box=None, pad_edge=False, header_style="dim")
        for column in ("RUNNING", "FOR", "ASSIGNMENTS"):
            flight.add_column(column, overflow="ellipsis", no_wrap=True)
        now = time.monotonic()
        for run, since in list(board.running.values())[:SHOWN]:
            flight.add_row(str(run["id"]), duration(now - since), text_of(run.get("assignments") or {}))
        if len(board.running) > SHOWN:
            flight.add_row(f"and {len(board.running) - SHOWN} more", "", "")
        return Group(top, flight)


def line_of(event: Event, board: Board) -> str | None:
    """One line for an event, None if it is not worth one."""
    if event.kind == "waiting":
        return f"waiting: {event.text}"
    if event.kind == "pending" and event.run:
        return f"training run {event.run['id']} pending: {event.text}"
    if event.run is None or event.kind not in ("completed", "failed", "lost"):
        return None
    count = f"{board.done}/{board.budget or 'unlimited'}"
    if event.kind == "completed":
        how = f"stopped early ({event.text})" if event.text else "completed"
        return f"{count} training run {event.run['id']} {how}: {text_of(values_of(event.facts))} with {text_of(event.run.get('assignments') or {})}"
    if event.kind == "lost":
        return f"{count} training run {event.run['id']} lost ({event.text}); it is launched again"
    return f"{count} training run {event.run['id']} failed: {event.text}"


def best_of(board: Board, *, is_short: bool = False) -> str:
    """The best values so far, or `-`; of a single metric without its name if there is little room."""
    if board.best is None:
        return "-"
    names = [metric["name"] for metric in board.optimized]
    if is_short and len(names) == 1:
        return text_of(board.best["values"].get(names[0]))
    return " ".join(f"{name}={text_of(board.best['values'].get(name))}" for name in names)


def duration(seconds: float | None) -> str:
    """Seconds as a person reads them: `8s`, `3m05s`, `2h10m`."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


@contextmanager
def shown(board: Board) -> Iterator[View]:
    """A view fit for where stderr goes."""
    if not sys.stderr.isatty():
        yield Lines(board)
        return
    table = Table(board)
    with table.screen.drawing(table.render, stays=True):
        yield table


__all__ = ["Lines", "Table", "View", "best_of", "duration", "line_of", "shown", "warn"]
