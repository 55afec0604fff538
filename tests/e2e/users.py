"""A home whose servers stay up between commands, and a user's folder with a model."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trialflow.embedded import lease, prefect_server, service_server
from trialflow.home import Home

EXPERIMENT = """\
name: e2e
parameters:
  - {name: x, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: y, strategy: optimize, objective: maximize}
type: random
parallel_bandwidth: 2
budget: 6
"""


@dataclass
class User:
    """Somebody who types commands in a folder."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """What their shell has set."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SIGOPT_", "TRIALFLOW_"))}
        return {**variables, "TRIALFLOW_HOME": str(self.home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **self.variables}

    def write(self, model: str, *, experiment: str = EXPERIMENT, metrics: str = "{y: 'y=(.*)'}") -> None:
        """Write the files of a model that is a shell script."""
        (self.folder / "model.sh").write_text(model)
        (self.folder / "run.yml").write_text(f"run: sh model.sh\nmetrics: {metrics}\n")
        (self.folder / "experiment.yml").write_text(experiment)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for it."""
        command = [self.python, "-m", "trialflow", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, stdin=subprocess.DEVNULL, **pipes)

    def type(self, *arguments: str) -> tuple[int, str, str]:
        """Type a command: its exit code, what it prints on stdout, and what it says on stderr."""
        process = self.start(*arguments)
        out, said = process.communicate(timeout=120)
        return process.returncode, out, said


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[Path], Path]) -> Iterator[Path]:
    """A home whose servers are up for the whole session."""
    home = Home(tmp_path_factory.mktemp("e2e") / "home")
    migrated(home.make(home.prefect))
    with lease(prefect_server(home)), lease(service_server(home)):
        yield home.root


@pytest.fixture
def user(home: Path, tmp_path: Path) -> User:
    folder = tmp_path / f"project-{tmp_path.name[-30:]}".lower().replace("_", "-").strip("-")
    folder.mkdir()
    return User(folder, home)
