"""Hearing a launcher's bell in the event loop: no thread, no polling, and the same for launchers that another flow started."""

import asyncio
import os
from pathlib import Path
from types import TracebackType

EAR = 1 << 16


class Bell:
    """Listens to the bell of one attempt while it is open (`with`). `ring` is awaited for news; `is_over` once the launcher is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._news = asyncio.Event()
        self._pipe: int | None = None
        self.is_over = False

    def __enter__(self) -> "Bell":
        self._pipe = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._pipe, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    async def ring(self) -> None:
        """Wait until there is news, or the launcher is gone."""
        await self._news.wait()
        self._news.clear()

    def end(self) -> None:
        """The launcher is known to be gone."""
        self.is_over = True
        self._news.set()

    def _hear(self) -> None:
        assert self._pipe is not None
        try:
            heard = os.read(self._pipe, EAR)
        except BlockingIOError:
            return
        if not heard:  # the launcher's end is closed: it has ended
            self._close()
            self.is_over = True
        self._news.set()

    def _close(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None
