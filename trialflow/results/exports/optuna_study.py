"""An experiment as a study in an Optuna storage, where optuna-dashboard and Optuna's plots find it."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from trialflow.api_types import Experiment, Metric, TrainingRun
from trialflow.errors import InvalidInput
from trialflow.metrics import values_of
from trialflow.results.exports.neighbours import neighbour
from trialflow.results.facts import categories_of, run_fact, state_of
from trialflow.results.ranking import optimized

Json = Mapping[str, Any]
RUN_KEY = "trialflow_training_run"
"""The attribute of a trial that says which training run it is."""
CONSTRAINTS = "constraints"
"""Where Optuna keeps how far a trial is beyond its constraints: at most 0 is feasible."""


def storage_of(given: Any) -> Any:
    """An Optuna storage: as given, from its URL, or SQLite in a file. Optuna opens it when it is used."""
    if isinstance(given, Path) or (isinstance(given, str) and "://" not in given):
        return f"sqlite:///{Path(given).absolute()}"
    return given


def to_optuna(
    experiment: Experiment, runs: Sequence[TrainingRun], storage: Any, *, name: str | None = None, checkpoints: Mapping[str, Sequence[Json]]
) -> Any:
    """Write the training runs that have ended to a study, by default `NAME (experiment ID)`. Those that it has already are not written again.

    `checkpoints` are those of training runs by their id, oldest first: they become intermediate values, where one metric is optimized.
    Returns the study.
    """
    optuna = neighbour("optuna")
    metrics = optimized(experiment["metrics"]) or experiment["metrics"]
    directions = [one.get("objective") or "maximize" for one in metrics]
    study = optuna.create_study(
        storage=storage_of(storage),
        study_name=name or f"{experiment['name']} (experiment {experiment['id']})",
        directions=directions,
        load_if_exists=True,
    )
    if [one.name.lower() for one in study.directions] != directions:
        raise InvalidInput(f"the study {study.study_name!r} is there already, and optimizes something else", hint="choose another name for it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([one["name"] for one in metrics])
    study.set_user_attr("trialflow_experiment", str(experiment["id"]))
    known = {trial.user_attrs.get(RUN_KEY) for trial in study.get_trials(deepcopy=False)}
    ended = [run for run in sorted(runs, key=lambda run: int(run["id"])) if run["state"] != "active"]
    kinds = distributions(experiment, ended)
    for run in ended:
        if str(run["id"]) not in known:
            study.add_trial(_trial(experiment, metrics, run, kinds, checkpoints.get(run["id"], ())))
    return study


def distributions(experiment: Experiment, runs: Sequence[TrainingRun]) -> dict[str, Any]:
    """Parameter -> Optuna's distribution. Bounds are widened to what was tried beyond them, which Optuna would refuse."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {one["name"]: CategoricalDistribution(one["values"]) for one in experiment.get("conditionals") or []}
    for one in experiment["parameters"]:
        name = one["name"]
        if one["type"] == "categorical":
            found[name] = CategoricalDistribution(categories_of(one))
        elif grid := one.get("grid"):
            found[name] = CategoricalDistribution([int(value) if one["type"] == "int" else float(value) for value in grid])
        else:
            tried = [run["assignments"][name] for run in runs if name in (run.get("assignments") or {})]
            assert one["bounds"] is not None  # numbers without a grid have bounds
            low, high = min([one["bounds"]["min"], *tried]), max([one["bounds"]["max"], *tried])
            is_log = one.get("transformation") == "log"
            found[name] = IntDistribution(int(low), int(high)) if one["type"] == "int" else FloatDistribution(float(low), float(high), log=is_log)
    return found


def _trial(experiment: Experiment, metrics: Sequence[Metric], run: TrainingRun, kinds: Mapping[str, Any], checkpoints: Sequence[Json]) -> Any:
    from optuna.trial import TrialState, create_trial

    fact, values = run_fact(run), values_of(run)
    params = {name: _typed(kinds[name], value) for name, value in fact["assignments"].items() if name in kinds}
    is_complete = run["state"] == "completed" and all(one["name"] in values for one in metrics)
    beyond = [_beyond(one, values[one["name"]]) for one in experiment["metrics"] if one.get("threshold") is not None and one["name"] in values]
    others = {name: value for name, value in values.items() if name not in {one["name"] for one in metrics}}
    single = metrics[0]["name"] if len(metrics) == 1 else None
    reports = [{one["name"]: one["value"] for one in checkpoint["values"]} for checkpoint in checkpoints] if single else []
    trial = create_trial(
        state=TrialState.COMPLETE if is_complete else TrialState.FAIL,
        values=[values[one["name"]] for one in metrics] if is_complete else None,
        params=params,
        distributions={name: kinds[name] for name in params},
        user_attrs={
            RUN_KEY: str(run["id"]),
            "state": state_of(run),
            **{key: fact[key] for key in ("reason", "stopped_early") if fact[key]},
            **others,
        },
        system_attrs={CONSTRAINTS: beyond} if beyond else {},
        intermediate_values={step: one[single] for step, one in enumerate(reports) if single in one},
    )
    trial.datetime_start = _moment(run.get("created"))
    trial.datetime_complete = _moment(run.get("completed")) or trial.datetime_start
    return trial


def _typed(kind: Any, value: Any) -> Any:
    """The value as the distribution has it: a grid of floats holds no int that equals one."""
    if (choices := getattr(kind, "choices", None)) is not None:
        return next((choice for choice in choices if choice == value), value)
    return int(value) if type(kind).__name__ == "IntDistribution" else float(value)


def _beyond(metric: Metric, value: float) -> float:
    """How far a value is beyond the metric's threshold; at most 0 if it satisfies it."""
    distance = value - (metric["threshold"] or 0.0)
    return distance if metric.get("objective") == "minimize" else -distance


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds)
