"""Where trialflow's own packages are: found first by its commands, and found by its servers wherever it is installed."""

import os
import site
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ROOT = str(Path(__file__).resolve().parent.parent)
TOP_LEVEL = ("tasks", "flows", "blocks", "deployments")
"""Names that a user's folder or PYTHONPATH may well hold too."""


class OwnPackages:
    """Finds our top-level packages beside this one, whatever else is called so. Everything else is found as ever."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of one of our packages, None for anything else."""
        return PathFinder.find_spec(name, [ROOT], target) if path is None and name in TOP_LEVEL else None


def prefer_own_packages() -> None:
    """Have this process import our own packages, even where the user's folder or PYTHONPATH holds others of the same names."""
    if OwnPackages not in sys.meta_path:
        sys.meta_path.insert(0, OwnPackages)


def python_path() -> Mapping[str, str]:
    """The variable PYTHONPATH for a process that has to import trialflow: nothing where it is installed as usual.

    Installed in a folder of PYTHONPATH (`pip install --target`, module systems of compute centres) it needs that variable, our folder first.
    """
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    if ROOT in map(os.path.realpath, given):
        return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([ROOT, *given]))}
    usual = map(os.path.realpath, [*site.getsitepackages(), site.getusersitepackages()])
    return {} if ROOT in usual else {"PYTHONPATH": ROOT}
