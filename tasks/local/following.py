"""Hearing a launcher's bell in the event loop: no thread, no polling, and the same for launchers that another flow started."""

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

EAR = 1 << 16


class BellListener:
    """Listens to the bell of one attempt while it is open (`with`). `ring` is awaited for news; `is_over` once the launcher is gone.

    Any number can listen to one attempt: each has a pipe of its own in the attempt's `ears`, and sees the end of the pipe `bell`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._news = asyncio.Event()
        self._pipes: list[int] = []
        self._ear: Path | None = None
        self.is_over = False

    def __enter__(self) -> "BellListener":
        bell = os.open(self._folder / "bell", os.O_RDONLY | os.O_NONBLOCK)
        if not _read(bell, b"!"):
            # Nobody holds the other end. Its end would not be heard any more, even if the lock is still held:
            # a process that ends gives its files back one after the other.
            os.close(bell)
            self.end()
            return self
        self._listen(bell, self._hear_end)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        # Opened under another name first: a pipe in `ears` that nobody has open belonged to somebody who was killed, and is taken away.
        temporary = self._folder / f".ear-{name}"
        os.mkfifo(temporary, 0o600)
        try:
            self._listen(os.open(temporary, os.O_RDONLY | os.O_NONBLOCK), self._hear)
            self._ear = temporary.rename(self._folder / "ears" / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    async def ring(self) -> None:
        """Wait until there is news, or the launcher is gone."""
        await self._news.wait()
        self._news.clear()

    def end(self) -> None:
        """The launcher is known to be gone."""
        self._close()
        self.is_over = True
        self._news.set()

    def _listen(self, pipe: int, hear: Callable[[int], None]) -> None:
        self._pipes.append(pipe)
        asyncio.get_running_loop().add_reader(pipe, hear, pipe)

    def _hear_end(self, pipe: int) -> None:
        if not _read(pipe, b"!"):  # the launcher's end is closed: it has ended
            self.end()

    def _hear(self, pipe: int) -> None:
        if not _read(pipe, b"!"):
            asyncio.get_running_loop().remove_reader(pipe)
        self._news.set()

    def _close(self) -> None:
        for pipe in self._pipes:
            asyncio.get_running_loop().remove_reader(pipe)
            os.close(pipe)
        self._pipes.clear()
        if self._ear is not None:
            self._ear.unlink(missing_ok=True)
            self._ear = None


def _read(pipe: int, otherwise: bytes) -> bytes:
    try:
        return os.read(pipe, EAR)
    except BlockingIOError:
        return otherwise
