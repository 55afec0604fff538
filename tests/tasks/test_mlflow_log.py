"""Training runs go to MLflow as they end; the work neither waits for it nor fails with it."""

import threading
from pathlib import Path
from typing import Any, cast

from tasks.experiments.client import ServiceClient, ServiceUnavailable
from tasks.experiments.mlflow_log import MlflowLog
from trialflow.specs.mlflow import MlflowSpec

EXPERIMENT = {"id": "7", "name": "birds"}


class Service:
    """Has training runs 1, 2, and so on, each with a value and two checkpoints."""

    def __init__(self) -> None:
        self.is_away = False

    async def run(self, identifier: str) -> dict[str, Any]:
        if self.is_away:
            raise ServiceUnavailable("away")
        own = {"values": {"accuracy": {"value": 0.5}}, "assignments": {"x": 1.5}, "dev_metadata": {}, "checkpoint_count": 2}
        return {"id": identifier, "name": f"run-{identifier}", "state": "completed", "created": 10, "completed": 20, **own}

    async def checkpoints(self, identifier: str) -> list[Any]:
        return [{"values": [{"name": "accuracy", "value": value}], "created": 15} for value in (0.4, 0.3)]


def log_of(service: Service, uri: str, said: list[str], **more: Any) -> MlflowLog:
    return MlflowLog(cast(ServiceClient, service), EXPERIMENT, MlflowSpec(tracking_uri=uri), warn=said.append, **more)


async def test_what_ends_is_in_mlflow_once(tmp_path: Path) -> None:
    import mlflow

    uri, said = f"sqlite:///{tmp_path / 'mlflow.db'}", []
    for ids in (("1", "2"), ("2", "3")):  # as if a worker that takes over observed one of them again
        log = log_of(Service(), uri, said)
        for identifier in ids:
            log.ended(identifier)
        await log.finish(seconds=120)
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("birds (experiment 7)")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["run-1", "run-2", "run-3"] and said == []
    assert {run.info.status for run in runs} == {"FINISHED"} and runs[0].data.params == {"x": "1.5"}
    curve = client.get_metric_history(runs[0].info.run_id, "accuracy")
    assert sorted((one.step, one.value) for one in curve) == [(0, 0.3), (1, 0.4), (2, 0.5)]


async def test_what_mlflow_does_not_take_is_a_warning_and_counted() -> None:
    said: list[str] = []

    def refuse(*_: Any, **more: Any) -> Any:
        raise ConnectionError("nobody\nanswers")

    log = log_of(Service(), "http://mlflow", said, open_runs=refuse)
    log.ended("1")
    log.ended("2")
    await log.finish(seconds=60)
    assert said == [
        "a training run could not be logged to MLflow at http://mlflow, and work goes on: nobody answers",
        "2 training runs were not logged to MLflow; `trialflow experiment export 7 --mlflow http://mlflow` adds them",
    ]


async def test_a_service_that_is_away_costs_nothing_but_the_entry() -> None:
    said: list[str] = []
    service = Service()
    service.is_away = True
    log = log_of(service, "http://mlflow", said)
    log.ended("1")
    await log.finish(seconds=60)
    assert len(said) == 2 and "away" in said[0] and said[1].startswith("1 training run was not logged")


async def test_the_end_does_not_wait_for_an_mlflow_that_hangs() -> None:
    said, goes_on = [], threading.Event()

    def hang(*_: Any, **more: Any) -> Any:
        goes_on.wait()
        raise ConnectionError

    log = log_of(Service(), "http://mlflow", said, open_runs=hang)
    log.ended("1")
    await log.finish(seconds=0.2)
    goes_on.set()
    assert said[0].startswith("1 training run was not logged")


async def test_nothing_is_said_or_started_if_nothing_ended() -> None:
    said: list[str] = []
    await log_of(Service(), "http://mlflow", said).finish()
    assert said == []
