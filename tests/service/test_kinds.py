"""Kinds of experiments over HTTP: constraints, searches, thresholds, priors, stored metrics, conditionals, updates while they are worked on."""

from statistics import mean
from typing import Any

import pytest

from tests.service.conftest import Running

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
Y = {"name": "y", "type": "double", "bounds": {"min": 0, "max": 1}}


def complete(service: Running, run: dict[str, Any], **values: float) -> None:
    measured = {name: {"value": value} for name, value in values.items()}
    service.call("MERGE", f"training_runs/{run['id']}", {"values": measured, "state": "completed"})


def best(service: Running, experiment: dict[str, Any]) -> list[dict[str, Any]]:
    return service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]


def failed(service: Running, experiment: dict[str, Any]) -> list[bool]:
    """Whether each observation is a failure, oldest first."""
    return [one["failed"] for one in service.call("GET", f"experiments/{experiment['id']}/observations", {"ascending": True})["data"]]


def test_the_best_satisfies_the_constraint_even_if_others_are_better(service: Running) -> None:
    metrics = [{"name": "m"}, {"name": "c", "strategy": "constraint", "objective": "minimize", "threshold": 0.5}]
    experiment = service.experiment(parameters=[X], metrics=metrics, budget=20)
    assert best(service, experiment) == []
    for _ in range(16):  # the constraint cuts the better half off
        run = service.run(experiment)
        complete(service, run, m=run["assignments"]["x"], c=run["assignments"]["x"])
    (found,) = best(service, experiment)
    assert 0.4 < found["values"]["m"]["value"] <= 0.5


def test_a_search_finds_all_that_satisfy_its_constraints(service: Running) -> None:
    metrics = [
        {"name": "low", "strategy": "constraint", "threshold": 0.3},
        {"name": "high", "strategy": "constraint", "objective": "minimize", "threshold": 0.6},
    ]
    experiment = service.experiment(parameters=[X], metrics=metrics, budget=20)
    seen = []
    for _ in range(14):
        run = service.run(experiment)
        complete(service, run, low=run["assignments"]["x"], high=run["assignments"]["x"])
        seen.append(run["assignments"]["x"])
    assert sorted(run["assignments"]["x"] for run in best(service, experiment)) == sorted(x for x in seen if 0.3 <= x <= 0.6)
    assert sum(0.3 <= x <= 0.6 for x in seen) >= 5


def test_the_front_is_cut_at_the_thresholds_of_two_metrics(service: Running) -> None:
    metrics = [{"name": "m", "threshold": 2}, {"name": "n", "objective": "minimize", "threshold": 4}]
    experiment = service.experiment(metrics=metrics, budget=10)
    for m, n in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5)):
        complete(service, service.run(experiment), m=m, n=n)
    assert [run["values"]["m"]["value"] for run in best(service, experiment)] == [4, 3, 2]
    changed = [{"name": "m", "threshold": 3}, {"name": "n", "threshold": 4}]
    service.call("PUT", f"aiexperiments/{experiment['id']}", {"metrics": changed})
    assert [run["values"]["m"]["value"] for run in best(service, experiment)] == [4, 3]
    assert service.run(experiment)["suggestion"]


@pytest.mark.parametrize("prior", [{"name": "normal", "mean": 0.8, "scale": 0.05}, {"name": "beta", "shape_a": 80, "shape_b": 20}])
def test_points_are_drawn_from_the_prior(service: Running, prior: dict[str, Any]) -> None:
    experiment = service.experiment(type="random", parameters=[{**X, "prior": prior}], budget=None)
    assert {key: value for key, value in experiment["parameters"][0]["prior"].items() if key != "object"} == prior
    drawn = [service.run(experiment)["assignments"]["x"] for _ in range(20)]
    assert abs(mean(drawn) - 0.8) < 0.06 and min(drawn) > 0.5


def test_a_stored_metric_that_was_not_logged_makes_a_failed_observation(service: Running) -> None:
    experiment = service.experiment(metrics=[{"name": "m"}, {"name": "s", "strategy": "store"}])
    complete(service, service.run(experiment), m=1.0)
    complete(service, service.run(experiment), m=1.0, s=2.0)
    assert failed(service, experiment) == [True, False]


def test_a_standard_deviation_is_kept_with_the_observation(service: Running) -> None:
    experiment = service.experiment()
    run = service.run(experiment)
    service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": 1, "value_stddev": 0.5}}, "state": "completed"})
    assert service.call("GET", f"experiments/{experiment['id']}/observations")["data"][0]["value_stddev"] == 0.5


def test_an_explicit_training_run_needs_only_its_active_parameters(service: Running) -> None:
    parameters = [{**X, "conditions": {"c": "a"}}, {**Y, "conditions": {"c": "b"}}]
    experiment = service.experiment(parameters=parameters, conditionals=[{"name": "c", "values": ["a", "b"]}])
    explicit = service.run(experiment, assignments={"c": "b", "y": 0.5, "mine": 3})
    assert explicit["suggestion"] and explicit["assignments"] == {"c": "b", "y": 0.5, "mine": 3}
    for given in ({"c": "b", "x": 0.5}, {"c": "z", "y": 0.5}, {"y": 0.5}, {"c": "b", "y": "high"}):
        assert service.run(experiment, assignments=given)["suggestion"] is None, given
    service.end(explicit, 1.0)
    (observed,) = service.call("GET", f"experiments/{experiment['id']}/observations")["data"]
    assert observed["assignments"] == {"c": "b", "y": 0.5}


def test_a_training_run_that_is_created_as_ended_is_observed_if_it_says_where(service: Running) -> None:
    experiment = service.experiment()
    known = service.run(experiment, assignments={"x": 0.5, "k": "a"}, values={"m": {"value": 3}}, state="completed")
    assert known["observation"] and best(service, experiment)[0]["id"] == known["id"]
    unknown = service.run(experiment, values={"m": {"value": 9}}, state="completed")
    assert unknown["observation"] is None and unknown["suggestion"] is None and unknown["assignments"] == {}
    assert failed(service, experiment) == [False]
    assert service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]["finished_run_count"] == 2


def test_new_bounds_hold_from_the_next_suggestion_on(service: Running) -> None:
    experiment = service.experiment(parameters=[X], parallel_bandwidth=4, budget=20)
    for _ in range(6):
        run = service.run(experiment)
        service.end(run, run["assignments"]["x"])
    service.run(experiment)  # one is pending, and one was computed ahead, within the old bounds
    service.call("PUT", f"aiexperiments/{experiment['id']}", {"parameters": [{**X, "bounds": {"min": 2, "max": 3}}]})
    for _ in range(4):
        assert 2 <= service.run(experiment)["assignments"]["x"] <= 3


def test_a_new_parameter_and_one_left_out_hold_from_the_next_suggestion_on(service: Running) -> None:
    experiment = service.experiment(parameters=[X], budget=20)
    for _ in range(6):
        run = service.run(experiment)
        service.end(run, run["assignments"]["x"])
    pending = service.run(experiment)
    path = f"aiexperiments/{experiment['id']}"
    assert service.refused("PUT", path, {"parameters": [X, Y]})[0] == 400
    service.call("PUT", path, {"parameters": [X, {**Y, "default_value": 0.5}]})
    run = service.run(experiment)
    assert set(run["assignments"]) == {"x", "y"}
    service.end(pending, 1.0)  # started before there was a `y`
    service.end(run, 1.0)
    service.call("PUT", path, {"parameters": [{**Y, "default_value": 0.5}]})
    assert set(service.run(experiment)["assignments"]) == {"y"}
    assert failed(service, experiment) == [False] * 8


def test_a_program_may_take_budget_and_bandwidth_away_and_archive(service: Running) -> None:
    experiment = service.experiment(parallel_bandwidth=3)
    path = f"aiexperiments/{experiment['id']}"
    changed = service.call("PUT", path, {"budget": None, "parallel_bandwidth": None, "name": "other", "metadata": {"a": 1}})
    assert (changed["budget"], changed["parallel_bandwidth"], changed["name"], changed["metadata"]) == (None, None, "other", {"a": 1})
    assert changed["progress"]["remaining_budget"] is None
    assert service.call("PUT", path, {"state": "deleted"})["state"] == "deleted"
    assert service.refused("POST", f"{path}/training_runs", {"name": "r"})[0] == 400
    assert service.refused("PUT", path, {"state": "gone"})[0] == 400


def test_new_metadata_leave_what_trialflow_keeps(service: Running) -> None:
    experiment = service.experiment(metadata={"trialflow_key": "abc", "mine": 1})
    path = f"aiexperiments/{experiment['id']}"
    assert service.call("PUT", path, {"metadata": {"other": 2}})["metadata"] == {"trialflow_key": "abc", "other": 2}
    assert service.call("PUT", path, {"metadata": None})["metadata"] == {"trialflow_key": "abc"}
    assert service.call("PUT", path, {"metadata": {"trialflow_key": "new"}})["metadata"] == {"trialflow_key": "new"}


def test_failures_take_nothing_from_what_is_believed(service: Running) -> None:
    experiment = service.experiment(parameters=[X, Y], budget=None)
    for number in range(12):
        service.end(service.run(experiment, assignments={"x": number / 11, "y": (number * 5 % 12) / 11}), number / 11)
        service.end(service.run(experiment, assignments={"x": number / 11, "y": 1.0}), None, "failed")
    (found,) = service.call("GET", f"aiexperiments/{experiment['id']}/metric_importances")["data"]
    assert found["importances"]["x"] > 0.8
    (believed,) = service.call("GET", f"aiexperiments/{experiment['id']}/beliefs")["data"]
    assert believed["best"]["x"] > 0.8 and believed["best"]["y"] != 1.0
