"""Libraries that trialflow does without unless somebody asks for them."""

from importlib import import_module
from typing import Any

from trialflow.errors import TrialflowError

EXTRAS = {"pandas": "frames", "pyarrow": "frames", "optuna": "optuna", "mlflow": "mlflow"}
"""Module -> the extra of trialflow that brings it."""


def neighbour(module: str) -> Any:
    """The module. Raises `TrialflowError` that says how to install it."""
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        if (error.name or library).partition(".")[0] != library:
            raise  # it is there, and what it needs is not: that is said best by itself
        raise TrialflowError(f"{library} is not installed", hint=f"`pip install 'trialflow[{EXTRAS[library]}]'` brings it") from error
