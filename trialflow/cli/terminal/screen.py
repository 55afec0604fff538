"""The part of a terminal that is drawn anew while things happen: one for the whole command, whoever draws. On stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    Draw = Callable[[], RenderableType | None]


class Screen:
    """Shows what all open drawings draw, one below the other, anew twice a second. Who draws says when it has `changed` from or to nothing.

    What is printed on `console`, or on stderr, meanwhile goes above. Two of rich's live displays on one terminal would wipe out each other's lines.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = console or Console(stderr=True)
        self._drawings: list[Draw] = []
        # Standard output is for data and may go elsewhere: what is written there is none of this.
        self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=2, transient=True, redirect_stdout=False)

    @contextmanager
    def drawing(self, draw: "Draw", *, stays: bool = False) -> Iterator[None]:
        """Show what `draw` gives as long as this is open; None is nothing. If it `stays`, its last picture is left on the terminal."""
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
        """There may be something to draw where there was nothing, or the other way round."""
        is_needed = any(draw() is not None for draw in self._drawings)
        if is_needed and not self._live.is_started:
            self._live.start(refresh=True)
        elif not is_needed and self._live.is_started:
            self._live.stop()

    def end(self) -> None:
        """Give the terminal back as it was, cursor and all, before this process ends at once."""
        self._live.stop()

    def _picture(self) -> Any:
        from rich.console import Group

        return Group(*(picture for draw in list(self._drawings) if (picture := draw()) is not None))


@cache
def screen() -> Screen:
    """The screen of this process."""
    return Screen()
