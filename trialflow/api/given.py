"""What a program gives, as it is sent to trialflow's own process. Nothing is looked at here but what kind of thing it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialflow.errors import InvalidInput

YAML = (".yml", ".yaml")


def as_experiment(given: Any) -> Any:
    """The experiment as it is sent: a path as text, or a dict."""
    if isinstance(given, str | Path):
        return str(given)
    if isinstance(given, Mapping):
        return dict(given)
    if hasattr(given, "model_dump"):
        return given.model_dump(mode="json", exclude_unset=True)
    raise InvalidInput(f"the experiment is a {type(given).__name__}", hint="give the path of experiment.yml, or a dict with what it says")


def as_run(given: Any) -> dict[str, Any]:
    """How the model is run as it is sent: a `file`, `data`, or a `command`."""
    if given is None:
        return {}
    if isinstance(given, Path) or (isinstance(given, str) and given.endswith(YAML)):
        return {"file": str(given)}
    if isinstance(given, str):
        return {"command": given}
    if isinstance(given, Mapping):
        return {"data": dict(given)}
    if hasattr(given, "model_dump"):
        keys = given.aws and {name.lower(): value for name, value in given.aws.variables().items()}
        return {"data": {**given.model_dump(mode="json", exclude_unset=True, exclude={"aws"}), **({"aws": keys} if keys else {})}}
    if isinstance(given, Sequence):
        return {"command": [str(word) for word in given]}
    raise InvalidInput(f"`run` is a {type(given).__name__}", hint="give a command, the path of run.yml, a dict with what it says, or a function")
