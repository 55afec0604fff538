"""What is kept on this machine of an attempt that ran on a cluster: its log, and whether it was stopped from here."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KeptFolder:
    """The folder of one attempt. Files are readable by the user alone."""

    path: Path

    @property
    def log(self) -> Path:
        """What the model printed."""
        return self.path / "log"

    def was_stopped(self) -> bool:
        """Whether somebody on this machine stopped it."""
        return (self.path / "stopped").exists()

    def mark_stopped(self) -> None:
        """Remember that it was stopped from here."""
        self._make()
        (self.path / "stopped").touch(mode=0o600)

    def read(self, last: int | None) -> bytes:
        """The log, the `last` bytes of it if given; empty if there is none."""
        try:
            with open(self.log, "rb") as file:
                if last is not None:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - last))
                return file.read()
        except FileNotFoundError:
            return b""

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


class LogWriter:
    """Writes what one follower reads. Each has a file of its own, which takes the place of an earlier one with its first bytes."""

    def __init__(self, folder: KeptFolder) -> None:
        self._folder = folder
        self._file: int | None = None
        self.problem: str | None = None

    def write(self, text: bytes) -> None:
        """Append; a full disk costs the log, not the training run."""
        if not text or self.problem:
            return
        try:
            if self._file is None:
                self._folder._make()
                temporary = self._folder.path / f".log-{os.getpid()}-{secrets.token_hex(4)}"
                self._file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                temporary.rename(self._folder.log)
            view = memoryview(text)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self.problem = f"the log could not be kept: {error.strerror}"

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
