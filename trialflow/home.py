"""Where trialflow keeps its things on this machine: the folder `TRIALFLOW_HOME`, `~/.trialflow` by default."""

import errno
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from trialflow.errors import TrialflowError

DATABASE = "database-url"
INSIDE = "TRIALFLOW_INSIDE_CLUSTER"
"""The variable with the block of the cluster that this process runs in, set for flows that run as Jobs there."""


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
    def prefect_token_file(self) -> Path:
        """The file with the token of the embedded Prefect server (mode 0600)."""
        return self.root / "prefect-token"

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
    def winners(self) -> Path:
        """Run files of the winners of experiments that learn, by the name of the experiment."""
        return self.root / "winners"

    def winner(self, experiment: str) -> Path:
        """The run file of the last winner among the experiments of that name."""
        return self.winners / f"{re.sub(r'[^a-z0-9]+', '-', experiment.lower()).strip('-') or 'experiment'}.yml"

    @property
    def logs(self) -> Path:
        """Log files of commands and servers."""
        return self.root / "logs"

    def make(self, folder: Path) -> Path:
        """Create `folder` (and the home) readable by the user alone, and return it.

        Raises `TrialflowError` if it cannot be made, or if others could write to the home.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_home()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "set TRIALFLOW_HOME to a folder that you can write to" if error.errno != errno.ENOSPC else "make room on that disk"
            raise TrialflowError(f"the folder {folder} could not be made: {error.strerror}", hint=hint) from error
        return folder

    def token(self) -> str:
        """The service's token, made at first use. Two processes that ask at once get the same one."""
        return self._token(self.token_file)

    def prefect_token(self) -> str:
        """The embedded Prefect server's own token, made at first use."""
        return self._token(self.prefect_token_file)

    def database_url(self) -> str | None:
        """The address of the PostgreSQL database for the service and for Prefect's server, if this home names one. Raises `TrialflowError`."""
        path = self.root / DATABASE
        if not path.exists():
            return None
        _check_private(path, "the address of the database", f"`chmod 600 {path}`, and change the password if somebody can have read it")
        if not (url := path.read_text().strip()):
            raise TrialflowError(f"the file {path} is empty", hint="write the address of a PostgreSQL database into it, or delete it")
        return url

    def _token(self, path: Path) -> str:
        self.make(self.root)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read_token(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        return _read_token(path)

    def _check_home(self) -> None:
        """Raise `TrialflowError` if other users could write to the home: what they put there would be executed or believed."""
        facts = self.root.stat()
        if facts.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise TrialflowError(f"the folder {self.root} belongs to another user", hint="set TRIALFLOW_HOME to a folder of your own")
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TrialflowError(f"other users can write to the folder {self.root}", hint=f"`chmod 700 {self.root}`, and look at what is in it")


def _read_token(path: Path) -> str:
    """Read a token. Raises `TrialflowError` if other users could have read or written it."""
    _check_private(path, "the token", f"`rm {path}` has a new one made; `chmod 600 {path}` keeps it, if nobody can have read it")
    # The process that created the file may not have written it yet: its write follows its create at once.
    for _ in range(1000):
        if token := path.read_text().strip():
            return token
        os.sched_yield()
    raise TrialflowError(f"the token file {path} is empty", hint=f"`rm {path}` has a new one made")


def _check_private(path: Path, what: str, hint: str) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TrialflowError(f"other users can read {what} in {path}", hint=hint)
