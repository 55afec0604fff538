"""The progress of an image build: live lines for each layer on a terminal, one line per step elsewhere. Both on stderr."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from tasks.images.events import ImageEvent, OnEvent, image_watcher
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.screen import screen
from trialflow.results.text import clean, text_of

DONE = ("Pushed", "Layer already exists", "Mounted from", "Pull complete", "Already exists", "Download complete")
LAYERS = 8
"""How many layers in flight are drawn."""
OUTPUT = 4
"""How many of a step's last lines are drawn."""


class Lines:
    """One line for each step worth reading later, for logs and pipes."""

    def __call__(self, event: ImageEvent) -> None:
        """Take one event and print its line, if it has one."""
        if line := line_of(event):
            say(line)


class Drawing:
    """The current step with its last lines of output, or the layers in flight; finished steps stay above."""

    def __init__(self) -> None:
        self.screen = screen()
        self._output: deque[str] = deque(maxlen=OUTPUT)
        self._layers: dict[str, ImageEvent] = {}

    def __call__(self, event: ImageEvent) -> None:
        """Take one event."""
        if event.kind == "output":
            self._output.append(event.text)
        elif event.kind == "layer":
            self._layers[event.layer] = event
        elif line := line_of(event):
            self._output.clear()
            self._layers.clear()
            self.screen.console.print(clean(line), markup=False, highlight=False)
        self.screen.changed()

    def render(self) -> Any:
        """The step or layers in progress; None if there are none."""
        if not self._output and not self._layers:
            return None
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        output = [Text("  | " + text_of(line), style="dim", no_wrap=True, overflow="ellipsis") for line in list(self._output)]
        flight = [one for one in list(self._layers.values()) if not one.text.startswith(DONE)]
        table = Table.grid(padding=(0, 1))
        for one in flight[:LAYERS]:
            bar = ProgressBar(total=one.total, completed=min(one.done, one.total), width=24) if one.total else Text("")
            table.add_row(Text("  " + text_of(one.layer[:12])), Text(text_of(one.text)), bar, amount(one))
        if self._layers:
            more = f", {len(flight) - LAYERS} more in flight" if len(flight) > LAYERS else ""
            table.add_row("", f"{len(self._layers) - len(flight)} of {len(self._layers)} layers done{more}", "", "")
        return Group(*output, table)


def line_of(event: ImageEvent) -> str | None:
    """One line for an event; None for events that need none."""
    if event.kind == "context":
        return f"image: {event.text}, {size(event.total)}"
    if event.kind == "withheld":
        return f"image: left out, because it may hold a key: {event.text}; the line `!{event.text}` in .dockerignore takes it in"
    if event.kind == "heavy":
        return f"image: {event.text} is large ({size(event.total)}); the line `{event.layer}` in .dockerignore would exclude it"
    if event.kind == "step":
        return f"image: step {event.number}/{event.steps}: {event.text}"
    if event.kind == "found":
        return f"image: unchanged, {event.text}"
    if event.kind in ("pushing", "pushed", "tagged"):
        return f"image: {event.kind} {event.text}"
    return None


def amount(event: ImageEvent) -> str:
    """How much of a layer is done. The engine counts compressed or uncompressed bytes, so it can exceed the total."""
    if not event.total:
        return size(event.done) if event.done else ""
    return f"{size(min(event.done, event.total))} of {size(event.total)}"


def size(count: int) -> str:
    """A number of bytes: `512 B`, `1.4 MB`, `2.0 GB`."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            return f"{value:.1f} {unit}"
    raise AssertionError("unreachable")


@contextmanager
def image_shown() -> Iterator[OnEvent]:
    """Show the progress of images in the form that suits stderr. While this is open, flows in this process report here too."""
    view: OnEvent = Drawing() if sys.stderr.isatty() else Lines()
    token = image_watcher.set(view)
    try:
        with view.screen.drawing(view.render) if isinstance(view, Drawing) else nullcontext():
            yield view
    finally:
        image_watcher.reset(token)
