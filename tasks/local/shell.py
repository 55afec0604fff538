"""The environment of the shell that a command was typed in, kept for flow runs that another process executes: the model runs as it would there.

A virtual environment, PATH and CUDA_VISIBLE_DEVICES decide what `python model.py` means. It is kept in the home, for the user alone, and never sent
anywhere: flow parameters are shown, and an environment may hold secrets.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from trialflow.home import Home

DEFAULT = "default"
"""The name of the environment in which `trialflow up` was typed: for folders that no command was typed in."""


def keep_shell(home: Home, environment: Mapping[str, str], directory: Path | None = None) -> None:
    """Keep the environment for models in `directory`; for all others if None."""
    path = _file(home, directory)
    home.make(path.parent)
    aside = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(dict(environment), file)
    aside.rename(path)


def shell_of(home: Home, directory: Path) -> Mapping[str, str] | None:
    """The environment for models in `directory`; None if none was kept on this machine."""
    for path in (_file(home, directory), _file(home, None)):
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        return {str(name): str(value) for name, value in found.items()}
    return None


def _file(home: Home, directory: Path | None) -> Path:
    name = DEFAULT if directory is None else sha256(os.path.realpath(directory).encode()).hexdigest()[:24]
    return home.root / "shells" / f"{name}.json"
