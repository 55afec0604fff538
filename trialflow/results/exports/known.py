"""Training runs that are known from elsewhere: from a CSV, an Optuna study, a table of pandas, or plain dicts.

Each becomes `{"name", "assignments", "values"}`, with texts put into the types of the experiment's parameters. The name is derived from where it
comes from, so importing twice is the same as importing once.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.metadata_keys import KNOWN_NAME
from trialflow.metrics import values_of
from trialflow.results.exports.neighbours import neighbour
from trialflow.results.exports.optuna_study import storage_of
from trialflow.results.ranking import optimized

Json = Mapping[str, Any]
STATES = ("completed", "stopped", "complete", "finished", "")
"""What a column `state` says of a training run that has results; nothing at all is one too."""


def read(experiment: Experiment, source: str) -> list[dict[str, Any]]:
    """What the name of a CSV, or the `STORAGE#NAME` of an Optuna study, stands for. Raises `TrialflowError`."""
    if source.lower().endswith(".csv"):
        return from_csv(experiment, source)
    if "#" in source or "://" in source:
        return from_optuna(experiment, source)
    raise InvalidInput(
        f"{source!r} is no source of known training runs",
        hint="expected FILE.csv, an Optuna study as STORAGE#NAME, such as sqlite:///study.db#tuning, or experiment/12",
    )


def from_csv(experiment: Experiment, file: str | Path) -> list[dict[str, Any]]:
    """The rows of a CSV with a column for each parameter and metric, as `trialflow experiment export` writes it. Raises `InvalidInput`."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as opened:
            rows = list(csv.DictReader(opened))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{file} is no CSV: {error}") from error
    return from_rows(experiment, rows)


def from_rows(experiment: Experiment, rows: Iterable[Json]) -> list[dict[str, Any]]:
    """Rows with the parameters' and the metrics' names as keys; a column may be called `NAME (metric)` or `NAME (parameter)` where both have it."""
    listed = [dict(row) for row in rows]
    columns = {name for row in listed for name in row if name is not None}
    parameters, metrics = _parameters(experiment), [one["name"] for one in experiment["metrics"]]
    needed = [one["name"] for one in optimized(experiment["metrics"]) if not {one["name"], f"{one['name']} (metric)"} & columns]
    if listed and needed:
        raise InvalidInput(f"there is no column {needed[0]}, which the experiment optimizes", hint=f"the columns are {', '.join(sorted(columns))}")
    found: list[tuple[Json, Json]] = []
    for number, row in enumerate(listed, 1):
        if str(row.get("state") or "").lower() not in STATES:
            continue
        given = {name: value for name in parameters if (value := _cell(row, name, "parameter")) is not None}
        measured = {name: value for name in metrics if (value := _cell(row, name, "metric")) is not None}
        assignments = {name: _value(parameters[name], value, number) for name, value in given.items()}
        found.append((assignments, {name: _number(name, value, number) for name, value in measured.items()}))
    return _named([(json.dumps(pair, sort_keys=True), *pair) for pair in found])


def from_optuna(experiment: Experiment, study: Any) -> list[dict[str, Any]]:
    """The complete trials of an Optuna study: its values are those of the optimized metrics, in order; attributes called like metrics are the others.

    `study` is Optuna's object, or `STORAGE#NAME`. Raises `InvalidInput` if the study optimizes another number of values.
    """
    optuna = neighbour("optuna")
    if isinstance(study, str):
        study = _loaded(optuna, study)
    metrics = [one["name"] for one in optimized(experiment["metrics"])]
    if len(study.directions) != len(metrics):
        raise InvalidInput(
            f"the study {study.study_name!r} has {len(study.directions)} objectives, and the experiment optimizes {len(metrics)} metrics"
        )
    parameters, others = _parameters(experiment), [one["name"] for one in experiment["metrics"] if one["name"] not in metrics]
    found = []
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]):
        assignments = {name: _value(parameters[name], value, trial.number) for name, value in trial.params.items() if name in parameters}
        values = {**dict(zip(metrics, trial.values, strict=True)), **{one: trial.user_attrs[one] for one in others if one in trial.user_attrs}}
        found.append((f"{study.study_name}/{trial.number}", assignments, values))
    return _named(found)


def from_training_runs(runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """The completed training runs of another experiment."""
    ended = [run for run in sorted(runs, key=lambda run: int(run["id"])) if run["state"] == "completed"]
    return _named([(f"experiment/{run['experiment']}/{run['id']}", run["assignments"], values_of(run)) for run in ended])


def _loaded(optuna: Any, address: str) -> Any:
    storage, separator, name = address.rpartition("#")
    if not separator:
        storage, name = address, ""
    try:
        return optuna.load_study(study_name=name or None, storage=storage_of(storage))
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own
        raise TrialflowError(
            f"Optuna could not load the study {address!r}: {error}", hint="give it as STORAGE#NAME, as in sqlite:///study.db#tuning"
        ) from error


def _named(found: Sequence[tuple[str, Json, Json]]) -> list[dict[str, Any]]:
    """What was found, each with a name: equal rows of a file are different measurements, so they are counted."""
    seen: Counter[str] = Counter()
    named = []
    for key, assignments, values in found:
        seen[key] += 1
        digest = sha256(f"{key}#{seen[key]}".encode()).hexdigest()[:16]
        measured = {name: {"value": value} for name, value in values.items()}
        named.append({"name": KNOWN_NAME + digest, "assignments": dict(assignments), "values": measured})
    return named


def _parameters(experiment: Experiment) -> dict[str, Json]:
    choices = {one["name"]: {**one, "type": "categorical"} for one in experiment.get("conditionals") or []}
    return {**choices, **{one["name"]: one for one in experiment["parameters"]}}


def _cell(row: Json, name: str, kind: str) -> Any:
    """What a row says of a parameter or metric; None if nothing, be it an empty cell of a CSV or pandas' nan, which differs from itself."""
    value = row.get(f"{name} ({kind})", row.get(name))
    value = value.item() if hasattr(value, "item") else value
    return None if value == "" or value != value else value


def _value(parameter: Json, value: Any, number: int) -> Any:
    """A value in the type of its parameter."""
    if parameter["type"] == "categorical":
        return str(value)
    found = _number(parameter["name"], value, number)
    return int(found) if parameter["type"] == "int" and found == int(found) else found


def _number(name: str, value: Any, number: int) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"row {number}: {name} is {str(value)[:50]!r}, and a number is expected") from None
