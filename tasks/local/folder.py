"""The folder of one attempt: the launcher's files, and what they say. See `docs/local.md`."""

import errno
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tasks.compute import Exit, Report
from trialflow.errors import TrialflowError
from trialflow.locks import is_held

EXIT_FIELDS = {field.name for field in fields(Exit)}


@dataclass(frozen=True)
class AttemptFolder:
    """One attempt of one training run on this machine."""

    path: Path

    @property
    def log(self) -> Path:
        """What the model printed."""
        return self.path / "log"

    @property
    def launcher_log(self) -> Path:
        """What its launcher had to say: nothing, unless something is wrong."""
        return self.path / "launcher.log"

    def make(self) -> None:
        """Create it, and the folders above it that are missing, readable by the user alone."""
        try:
            for folder in (self.path.parent.parent, self.path.parent, self.path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "make room on that disk" if error.errno == errno.ENOSPC else "set TRIALFLOW_HOME to a folder that you can write to"
            raise TrialflowError(f"the folder {self.path} could not be made: {error.strerror}", hint=hint) from error

    def is_alive(self) -> bool:
        """Whether its launcher runs: proof against reused process ids, restarts of the machine and kill -9."""
        return is_held(self.path / "lock")

    def was_launched(self) -> bool:
        """Whether a launcher has ever taken it: then no other will."""
        return (self.path / "launcher.json").exists()

    def launcher(self) -> dict[str, Any]:
        """What its launcher wrote of itself: `pid`, `boot_id`, `started`."""
        return self._read("launcher.json") or {}

    def model_pid(self) -> int | None:
        """The model's process id, which is its group's and session's too."""
        return (self._read("model.json") or {}).get("pid")

    def outcome(self) -> Exit | None:
        """How the attempt ended; None if nobody wrote that down (yet)."""
        facts = self._read("outcome.json")
        return None if facts is None else Exit(**{name: value for name, value in facts.items() if name in EXIT_FIELDS})

    def last_words(self) -> str:
        """The last line that its launcher said; empty if it said nothing."""
        try:
            said = self.launcher_log.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""
        return said.splitlines()[-1] if said else ""

    def write(self, name: str, content: Any) -> None:
        """Write a file for the launcher as JSON, whole or not at all."""
        temporary = self.path / f"{name}.{os.getpid()}"
        try:
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(content))
            temporary.rename(self.path / name)
        except OSError as error:
            hint = "make room on that disk" if error.errno == errno.ENOSPC else None
            raise TrialflowError(f"{self.path / name} could not be written: {error.strerror}", hint=hint) from error

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            return None  # half-written by a launcher that was killed: as if it were not there


class Tail:
    """Reads a growing file from where it was last read to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self, most: int = 1 << 20) -> bytes:
        """What is new, up to `most` bytes; empty if nothing is."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                chunk = file.read(most)
        except FileNotFoundError:
            return b""
        self._offset += len(chunk)
        return chunk


class JournalTail:
    """Reads the reports of a journal as they are added. A last line without its end is not a report yet."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self._rest = b""

    def read(self) -> list[Report]:
        """The reports that are new."""
        reports: list[Report] = []
        while chunk := self._tail.read():
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            reports += [Report(**json.loads(line)) for line in lines if line]
        return reports
