"""The part of the terminal that is redrawn while a command works: one for the whole command, whoever draws. On stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    Draw = Callable[[], RenderableType | None]


class Screen:
    """Shows all open drawings, one below the other, and redraws them twice a second. A drawing reports with `changed` when it appears or vanishes.

    Whatever is printed on `console` or stderr meanwhile appears above. Two of rich's live displays on one terminal would erase each other's lines.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = console or Console(stderr=True)
        self._drawings: list[Draw] = []
        # Standard output is for results and may go elsewhere, so it is left alone.
        self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=2, transient=True, redirect_stdout=False)

    @contextmanager
    def drawing(self, draw: "Draw", *, stays: bool = False) -> Iterator[None]:
        """Show what `draw` returns while this is open; None is nothing. If it `stays`, its last picture remains on the terminal."""
        self._drawings.append(draw)
        try:
            self.changed()
            if self._live.is_started:
                self._live.refresh()
            yield
        finally:
            last = draw() if stays else None
            self._drawings.remove(draw)
            self.changed()
            if last is not None:
                self.console.print(last)

    def changed(self) -> None:
        """A drawing has appeared or vanished."""
        is_needed = any(draw() is not None for draw in self._drawings)
        if is_needed and not self._live.is_started:
            self._live.start(refresh=True)
        elif not is_needed and self._live.is_started:
            self._live.stop()

    def end(self) -> None:
        """Restore the terminal, cursor included, before this process exits at once."""
        self._live.stop()

    def _picture(self) -> Any:
        from rich.console import Group

        return Group(*(picture for draw in list(self._drawings) if (picture := draw()) is not None))


@cache
def screen() -> Screen:
    """The screen of this process."""
    return Screen()
