"""Training runs that are known from elsewhere: they teach the optimizer and cost no budget."""

from typing import Any

from tests.service.conftest import Running

KNOWN = {"name": "known-0123456789abcdef", "state": "completed", "values": {"m": {"value": 5.0}}, "assignments": {"x": 0.3, "k": "a"}}


def progress(service: Running, experiment: dict[str, Any]) -> tuple[int, int, int, int]:
    found = service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]
    return found["total_run_count"], found["finished_run_count"], found["active_run_count"], found["remaining_budget"]


def test_a_known_training_run_is_not_counted_and_can_be_the_best(service: Running) -> None:
    experiment = service.experiment(budget=2)
    known = service.run(experiment, **KNOWN, dev_metadata={"trialflow_known": "a.csv"})
    assert progress(service, experiment) == (0, 0, 0, 2)
    service.end(service.run(experiment), 1.0)
    assert progress(service, experiment) == (1, 1, 0, 1)
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    assert [one["id"] for one in best] == [known["id"]]
    assert service.call("GET", f"experiments/{experiment['id']}/observations")["count"] == 2


def test_neither_the_name_nor_the_note_alone_saves_budget(service: Running) -> None:
    experiment = service.experiment(budget=5)
    service.run(experiment, **KNOWN)
    service.run(experiment, **{**KNOWN, "name": "mine"}, dev_metadata={"trialflow_known": "a.csv"})
    service.run(experiment, **{**KNOWN, "name": "knownx"}, dev_metadata={"trialflow_known": "a.csv"})
    assert progress(service, experiment) == (3, 3, 0, 2)


def test_points_that_are_known_are_not_suggested_again(service: Running) -> None:
    grid = [{"name": "x", "type": "int", "bounds": {"min": 1, "max": 3}}]
    experiment = service.experiment(parameters=grid, budget=3)
    for value in (1, 2):
        point = {"assignments": {"x": value}, "name": f"known-{value}"}
        service.run(experiment, **{**KNOWN, **point}, dev_metadata={"trialflow_known": "a.csv"})
    assert service.run(experiment)["assignments"] == {"x": 3}


def test_what_was_measured_on_earlier_data_is_never_the_best_and_may_be_suggested_again(service: Running) -> None:
    grid = [{"name": "x", "type": "int", "bounds": {"min": 1, "max": 2}}]
    experiment = service.experiment(parameters=grid, metrics=[{"name": "m"}, {"name": "size", "strategy": "store"}], budget=4)
    for value in (1, 2):
        earlier = {"trialflow_known": "experiment 1", "trialflow_earlier": 2}
        service.run(experiment, **{**KNOWN, "assignments": {"x": value}, "name": f"known-{value}"}, dev_metadata=earlier)
    assert progress(service, experiment) == (0, 0, 0, 4)
    observed = service.call("GET", f"experiments/{experiment['id']}/observations")["data"]
    assert {one["task"]["cost"] for one in observed} == {0.01} and not any(one["failed"] for one in observed), "a stored metric may be missing"
    run = service.run(experiment)
    assert run["assignments"]["x"] in (1, 2)
    service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": 1.0}, "size": {"value": 1}}, "state": "completed"})
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    assert [one["id"] for one in best] == [run["id"]]
