"""What a user types for an experiment or a training run: `12`, `experiment/12`, `run/34`, `suggestion/56`, or a training run's name."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trialflow.api_types import Experiment, TrainingRun
from trialflow.errors import InvalidInput, TrialflowError

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient


@dataclass(frozen=True)
class Identifier:
    """What a user typed. `kind` is `either` for a bare number, which means an experiment if there is one; `value` is the number, or the name."""

    kind: Literal["experiment", "run", "suggestion", "either", "name"]
    value: str


def identifier(text: str) -> Identifier:
    """What `12`, `experiment/12`, `run/34`, `suggestion/56` or `run-abcd1234` stands for. Raises `InvalidInput`."""
    match = re.fullmatch(r"(?:((?:ai)?experiment|(?:training_?)?run|suggestion)/)?(\d{1,18})", text)
    if match is None:
        if not text.strip() or "/" in text:
            raise InvalidInput(
                f"{text!r} is neither an experiment nor a training run", hint="expected experiment/12, run/34 or a training run's name"
            )
        return Identifier("name", text)
    if match[1] is None:
        return Identifier("either", match[2])
    if match[1] == "suggestion":
        return Identifier("suggestion", match[2])
    return Identifier("experiment" if match[1].endswith("experiment") else "run", match[2])


def experiment_id(text: str) -> str:
    """The id in `12` or `experiment/12`. Raises `InvalidInput`."""
    match = re.fullmatch(r"(?:(?:ai)?experiment/)?(\d{1,18})", text)
    if match is None:
        raise InvalidInput(f"{text!r} is not an experiment", hint="give its number; `trialflow experiment list` shows it")
    return match[1]


async def find_experiment(client: "ServiceClient", text: str | None, project: str) -> Experiment:
    """The experiment that `text` names, else the newest of the project."""
    from tasks.experiments.client import ServiceNotFound

    if text is None:
        if not (found := await client.experiments(project)):
            raise TrialflowError(f"project {project} has no experiment", hint="`trialflow experiment list --all-projects` shows all")
        return found[0]
    try:
        return await client.experiment(experiment_id(text))
    except ServiceNotFound as error:
        raise TrialflowError(f"there is no experiment {experiment_id(text)}", hint="`trialflow experiment list --all-projects` shows all") from error


async def find_run(client: "ServiceClient", text: str, project: str) -> TrainingRun:
    """The training run that `text` names: by its id, or by its name or its suggestion in the project."""
    from tasks.experiments.client import ServiceNotFound

    wanted = identifier(text)
    if wanted.kind == "experiment":
        raise InvalidInput(f"{text!r} is an experiment, and a training run is expected", hint="as in run/34, or its name")
    try:
        if wanted.kind in ("run", "either"):
            return await client.run(wanted.value)
        found = await client.runs(project, filters=[{"field": wanted.kind, "operator": "==", "value": wanted.value}])
    except ServiceNotFound:
        found = []
    if not found:
        where = f" in project {project}" if wanted.kind in ("name", "suggestion") else ""
        raise TrialflowError(f"there is no training run {text}{where}", hint="`trialflow experiment show` lists an experiment's training runs")
    return found[0]
