"""Where trialflow keeps its things on this machine: the folder `TRIALFLOW_HOME`, `~/.trialflow` by default."""

import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from trialflow.errors import TrialflowError


@dataclass(frozen=True)
class Home:
    """The paths below one `TRIALFLOW_HOME`. Nothing is made before it is needed; what is made is private to the user."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """The folder that the variable `TRIALFLOW_HOME` names, else `~/.trialflow`. Raises `TrialflowError` if the user has no home."""
        try:
            return cls(Path(os.environ.get("TRIALFLOW_HOME") or Path.home() / ".trialflow").expanduser().absolute())
        except RuntimeError as error:
            raise TrialflowError(
                "this user has no home folder, so there is no place for trialflow's files",
                hint="set TRIALFLOW_HOME to a folder that you can write to",
            ) from error

    @property
    def token_file(self) -> Path:
        """The file with the token of the service (mode 0600)."""
        return self.root / "token"

    @property
    def service(self) -> Path:
        """The service's database and uploaded files."""
        return self.root / "service"

    @property
    def prefect(self) -> Path:
        """The embedded Prefect server's database and settings."""
        return self.root / "prefect"

    @property
    def servers(self) -> Path:
        """One folder for each server that commands share while they run."""
        return self.root / "servers"

    @property
    def training_runs(self) -> Path:
        """One folder for each local training run: its journal, log and outcome."""
        return self.root / "training-runs"

    @property
    def logs(self) -> Path:
        """Log files of commands and servers."""
        return self.root / "logs"

    def make(self, folder: Path) -> Path:
        """Create `folder` (and the home) readable by the user alone, and return it. Raises `TrialflowError` if it cannot be had."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "set TRIALFLOW_HOME to a folder that you can write to" if error.errno != errno.ENOSPC else "make room on that disk"
            raise TrialflowError(f"the folder {folder} could not be made: {error.strerror}", hint=hint) from error
        return folder

    def token(self) -> str:
        """The service's token, made at first use. Two processes that ask at once get the same one."""
        self.make(self.root)
        try:
            descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self._read_token()
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        return self._read_token()

    def _read_token(self) -> str:
        # The process that created the file may not have written it yet: its write follows its create at once.
        for _ in range(1000):
            if token := self.token_file.read_text().strip():
                return token
            os.sched_yield()
        raise RuntimeError(f"{self.token_file} is empty; delete it and try again")
