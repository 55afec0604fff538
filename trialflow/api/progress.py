"""The progress of an experiment where the user looks: a table in the notebook that changes, or a line for each event on stderr."""

import html
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from trialflow.events import Event
from trialflow.results.best import best_text
from trialflow.results.board import Board, begin_line, line_of
from trialflow.results.text import clean, duration, progress, text_of

REDRAW_SECONDS = 0.25
SHOWN_EVENTS = 5
"""How many failures and the like stay below the table in a notebook."""


class Progress(Protocol):
    """Shows what a flow tells."""

    board: Board

    def event(self, event: Event) -> None:
        """Take one event."""
        ...

    def say(self, text: str) -> None:
        """Take one sentence."""
        ...

    def end(self, *, is_finished: bool) -> None:
        """The work has ended."""
        ...


class Silent:
    """Shows nothing, and knows the state."""

    def __init__(self) -> None:
        self.board = Board()

    def event(self, event: Event) -> None:
        """Take one event."""
        self.board.take(event, time.monotonic())

    def say(self, text: str) -> None:
        """Nothing."""

    def end(self, *, is_finished: bool) -> None:
        """The work has ended."""
        self.board.end(is_finished=is_finished)


class Lines(Silent):
    """One line for each event, on stderr."""

    def event(self, event: Event) -> None:
        """Take one event and print its line, if it has one."""
        super().event(event)
        if line := begin_line(event) or line_of(event, self.board):
            self.say(line)

    def say(self, text: str) -> None:
        """Print a sentence."""
        print(clean(text), file=sys.stderr, flush=True)


class Cell(Silent):
    """A table in the output of a notebook's cell. `show` displays HTML and returns what changes it."""

    def __init__(self, show: Callable[[str], Callable[[str], None]]) -> None:
        super().__init__()
        self._notes: list[str] = []
        self._drawn = 0.0
        self._update = show(self.html())

    def event(self, event: Event) -> None:
        """Take one event, and draw."""
        super().event(event)
        if event.kind in ("failed", "lost", "pending", "waiting") and (line := line_of(event, self.board)):
            self._notes.append(line)
        self._draw(event.kind in ("experiment", "failed"))

    def say(self, text: str) -> None:
        """Show a sentence below the table."""
        self._notes.append(text)
        self._draw(True)

    def end(self, *, is_finished: bool) -> None:
        """Draw the last picture, which stays."""
        super().end(is_finished=is_finished)
        self._draw(True)

    def html(self) -> str:
        """The table and what stays below it."""
        board = self.board
        best = best_text(board.metrics, board.best and board.best.values)
        cells = {
            "experiment": f"{board.experiment_id} {board.name}".strip() or "-",
            "done/budget": progress(board.done, board.budget) if board.experiment_id else "-",
            "running": len(board.running),
            "lost": board.lost,
            "failed": board.failed,
            "best": best,
            "left": duration(board.eta),
            "status": board.status,
        }
        return table_html([cells]) + "".join(f"<div>{html.escape(clean(note))}</div>" for note in self._notes[-SHOWN_EVENTS:])

    def _draw(self, is_urgent: bool) -> None:
        now = time.monotonic()
        if is_urgent or now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._update(self.html())


def progress_here(wanted: bool) -> Progress:
    """The progress that suits the place, or a silent one."""
    if not wanted:
        return Silent()
    return Cell(_show_in_cell) if is_notebook() else Lines()


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook. IPython is not imported: whoever is in a notebook has it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def table_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as an HTML table; what they hold is text, whatever it looks like."""
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(text_of(name))}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(text_of(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _show_in_cell(text: str) -> Callable[[str], None]:
    from IPython.display import HTML, display  # type: ignore[import-not-found] - there where this is called

    shown: Any = display(HTML(text), display_id=True)
    return lambda changed: shown.update(HTML(changed))
