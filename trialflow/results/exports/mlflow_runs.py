"""An experiment as an MLflow experiment: a run for each training run that has ended."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metrics import values_of
from trialflow.results.exports.neighbours import neighbour
from trialflow.results.facts import run_fact, state_of

Json = Mapping[str, Any]
RUN_TAG = "trialflow.training_run"
FOREIGN = re.compile(r"[^\w\-./ ]", re.ASCII)
"""What MLflow takes in no name of a metric or a parameter."""
MOST_PARAMS, MOST_METRICS = 100, 1000
"""What MLflow takes in one request."""
LONGEST = 500
"""Characters of a parameter that every version of MLflow takes."""


def to_mlflow(
    experiment: Experiment,
    runs: Sequence[TrainingRun],
    tracking_uri: str | None,
    *,
    name: str | None = None,
    checkpoints: Mapping[str, Sequence[Json]],
) -> str:
    """Log the training runs that have ended, by default to the MLflow experiment `NAME (experiment ID)`; those that it has are not logged again.

    `tracking_uri` is MLflow's; None is what MLflow itself takes, MLFLOW_TRACKING_URI for one. `checkpoints` are those of training runs by their id,
    oldest first: each is a step of its metrics. Returns MLflow's id of the experiment.
    """
    log = MlflowRuns(experiment, tracking_uri, name=name)
    for run in sorted(runs, key=lambda run: int(run["id"])):
        log.add(run, checkpoints.get(run["id"], ()))
    return log.id


class MlflowRuns:
    """The training runs of an experiment in MLflow, whose id of the experiment is `id`. Raises MLflow's own errors, of many kinds."""

    def __init__(self, experiment: Experiment, tracking_uri: str | None, *, name: str | None = None) -> None:
        self._client = neighbour("mlflow").MlflowClient(tracking_uri=tracking_uri)
        called = name or f"{experiment['name']} (experiment {experiment['id']})"
        found = self._client.get_experiment_by_name(called)
        tags = {"trialflow.experiment": str(experiment["id"])}
        self.id: str = found.experiment_id if found else self._client.create_experiment(called, tags=tags)
        self._known = _known(self._client, self.id)

    def add(self, run: TrainingRun, checkpoints: Sequence[Json]) -> None:
        """Log a training run that has ended, unless it is there; `checkpoints` are oldest first."""
        if run["state"] != "active" and str(run["id"]) not in self._known:
            _log(self._client, self.id, run, checkpoints)
            self._known.add(str(run["id"]))


def _known(client: Any, experiment_id: str) -> set[str]:
    """The training runs that were logged whole."""
    known: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment_id], filter_string="attributes.status != 'RUNNING'", page_token=token)
        known |= {one.data.tags[RUN_TAG] for one in page if RUN_TAG in one.data.tags}
        if not (token := page.token):
            return known


def _log(client: Any, experiment_id: str, run: TrainingRun, checkpoints: Sequence[Json]) -> None:
    from mlflow.entities import Metric, Param

    fact = run_fact(run)
    tags = {RUN_TAG: fact["id"], "trialflow.state": state_of(run), "mlflow.runName": fact["name"]}
    tags |= {f"trialflow.{key}": str(fact[key]) for key in ("reason", "stopped_early") if fact[key]}
    created, completed = _milliseconds(run.get("created")), _milliseconds(run.get("completed"))
    logged = client.create_run(experiment_id, start_time=created, tags=tags)
    metrics = [
        Metric(_name(one["name"]), one["value"], _milliseconds(checkpoint.get("created")) or created or 0, step)
        for step, checkpoint in enumerate(checkpoints)
        for one in checkpoint["values"]
    ]
    metrics += [Metric(_name(name), value, completed or 0, len(checkpoints)) for name, value in values_of(run).items()]
    params = [Param(_name(name), str(value)[:LONGEST]) for name, value in fact["assignments"].items()]
    for first in range(0, len(params), MOST_PARAMS):
        client.log_batch(logged.info.run_id, params=params[first : first + MOST_PARAMS])
    for first in range(0, len(metrics), MOST_METRICS):
        client.log_batch(logged.info.run_id, metrics=metrics[first : first + MOST_METRICS])
    client.set_terminated(logged.info.run_id, "FINISHED" if run["state"] == "completed" else "FAILED", end_time=completed)


def _name(text: str) -> str:
    return FOREIGN.sub("_", text)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
