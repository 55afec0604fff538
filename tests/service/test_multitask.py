"""Tasks of the core API, over HTTP: suggestions carry one, observations are counted by its cost, the best is at full cost."""

from typing import Any

import pytest

from tests.service.conftest import Running

TASKS = [{"name": "cheap", "cost": 0.1}, {"name": "half", "cost": 0.5}, {"name": "full", "cost": 1}]
BODY: dict[str, Any] = {
    "name": "t",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "m"}],
    "observation_budget": 6.5,
    "tasks": TASKS,
}


def test_suggestions_carry_a_task_and_the_budget_counts_costs(service: Running) -> None:
    experiment = service.call("POST", "experiments", BODY)
    assert [(one["name"], one["cost"]) for one in experiment["tasks"]] == [(one["name"], one["cost"]) for one in TASKS]
    assert experiment["observation_budget"] == 6.5
    path, spent, names = f"experiments/{experiment['id']}", 0.0, set()
    for _ in range(12):
        suggestion = service.call("POST", f"{path}/suggestions")
        spent += suggestion["task"]["cost"]
        names.add(suggestion["task"]["name"])
        value = -((suggestion["assignments"]["x"] - 0.3) ** 2) * suggestion["task"]["cost"]
        made = service.call("POST", f"{path}/observations", {"suggestion": suggestion["id"], "values": [{"name": "m", "value": value}]})
        assert made["task"]["name"] == suggestion["task"]["name"]
    assert {"cheap", "full"} <= names
    assert service.call("GET", path)["progress"]["observation_budget_consumed"] == pytest.approx(spent)


def test_only_full_cost_is_the_best(service: Running) -> None:
    path = f"experiments/{service.call('POST', 'experiments', BODY)['id']}"
    service.call("POST", f"{path}/observations", {"assignments": {"x": 0.1}, "task": "cheap", "value": 9})
    assert service.call("GET", f"{path}/best_assignments")["count"] == 0
    service.call("POST", f"{path}/observations", {"assignments": {"x": 0.2}, "task": {"name": "full"}, "value": 1})
    assert [one["value"] for one in service.call("GET", f"{path}/best_assignments")["data"]] == [1]
    assert service.call("GET", path)["progress"]["best_observation"]["value"] == 1


def test_queued_and_explicit_suggestions_keep_their_task(service: Running) -> None:
    path = f"experiments/{service.call('POST', 'experiments', BODY)['id']}"
    service.call("POST", f"{path}/queued_suggestions", {"assignments": {"x": 0.4}, "task": "half"})
    queued = service.call("POST", f"{path}/suggestions")
    assert (queued["assignments"], queued["task"]["name"]) == ({"x": 0.4}, "half")
    explicit = service.call("POST", f"{path}/suggestions", {"assignments": {"x": 0.6}, "task": "cheap"})
    assert explicit["task"]["name"] == "cheap"
    assert service.call("POST", f"{path}/suggestions", {"assignments": {"x": 0.7}})["task"]["cost"] == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tasks": TASKS[:1]}, "greater than or equal to 2"),
        ({"tasks": TASKS[:2]}, "One of .tasks must have cost 1"),
        ({"tasks": [*TASKS, {"name": "full", "cost": 0.7}]}, "names of .tasks must differ"),
        ({"tasks": [*TASKS, {"name": "other", "cost": 1}]}, "costs of .tasks must differ"),
        ({"tasks": [{"name": "a", "cost": 0}, TASKS[2]]}, "above 0 and at most 1"),
        ({"observation_budget": None}, "needs an observation_budget"),
        ({"observation_budget": -1}, "must be above 0"),
        ({"metrics": [{"name": "m"}, {"name": "n"}]}, "one metric"),
        ({"num_solutions": 2}, "one solution"),
    ],
)
def test_tasks_that_cannot_be_are_refused(service: Running, change: dict, expected: str) -> None:
    status, message = service.refused("POST", "experiments", {**BODY, **change})
    assert status == 400 and expected in message


def test_an_unknown_task_and_a_missing_one_are_refused(service: Running) -> None:
    path = f"experiments/{service.call('POST', 'experiments', BODY)['id']}"
    assert service.refused("POST", f"{path}/observations", {"assignments": {"x": 0.1}, "value": 1})[0] == 400
    assert service.refused("POST", f"{path}/observations", {"assignments": {"x": 0.1}, "task": "none", "value": 1})[0] == 400


def test_tasks_stay_and_the_budget_of_an_experiment_with_tasks_can_change(service: Running) -> None:
    experiment = service.call("POST", "experiments", BODY)
    path = f"experiments/{experiment['id']}"
    echoed = service.call("PUT", path, {"observation_budget": 9.5, "tasks": experiment["tasks"], "parameters": experiment["parameters"]})
    assert echoed["observation_budget"] == 9.5 and len(echoed["tasks"]) == 3
    assert "tasks cannot be changed" in service.refused("PUT", path, {"tasks": TASKS[1:]})[1]
