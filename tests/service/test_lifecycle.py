"""Experiments and training runs from their creation to their best: the rules of the API, on both databases."""

import pytest

from tests.service.conftest import Running


def test_a_training_run_of_an_experiment_comes_with_suggested_assignments(service: Running) -> None:
    run = service.run(service.experiment())
    assert set(run["assignments"]) == {"x", "k"} and 0 <= run["assignments"]["x"] <= 1
    assert run["state"] == "active" and run["suggestion"] and run["observation"] is None
    assert run["assignments_meta"]["x"]["source"] == "SigOpt"


def test_all_assignments_given_are_an_explicit_suggestion_and_some_are_none(service: Running) -> None:
    experiment = service.experiment()
    explicit = service.run(experiment, assignments={"x": 0.5, "k": "b"})
    assert explicit["suggestion"] and explicit["assignments"] == {"x": 0.5, "k": "b"}
    partial = service.run(experiment, assignments={"x": 0.5})
    assert partial["suggestion"] is None and partial["assignments"] == {"x": 0.5}


def test_the_budget_counts_finished_and_active_training_runs(service: Running) -> None:
    experiment = service.experiment(budget=3)
    runs = [service.run(experiment) for _ in range(3)]
    service.end(runs[0], 1.0)
    service.end(runs[1], None, "failed")
    progress = service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]
    assert progress == {"object": "progress", "total_run_count": 3, "finished_run_count": 2, "active_run_count": 1, "remaining_budget": 0}
    service.run(experiment)
    assert service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]["remaining_budget"] == -1


def test_deleting_a_training_run_gives_its_unit_back_and_restoring_takes_it(service: Running) -> None:
    experiment = service.experiment(budget=2)
    run = service.run(experiment)
    assert service.call("DELETE", f"training_runs/{run['id']}")["deleted"] is True
    assert service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]["remaining_budget"] == 2
    service.call("PUT", f"training_runs/{run['id']}", {"deleted": False})
    assert service.call("GET", f"aiexperiments/{experiment['id']}")["progress"]["remaining_budget"] == 1


def test_a_completed_run_without_a_metric_is_observed_as_failed_and_nothing_changes_that(service: Running) -> None:
    experiment = service.experiment()
    run = service.run(experiment)
    service.end(run, None)
    service.end(run, 5.0)
    assert service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["count"] == 1  # the training run is completed and has it now
    observed = service.call("GET", f"experiments/{experiment['id']}/observations")["data"]
    assert [one["failed"] for one in observed] == [True]


def test_merge_joins_maps_and_null_deletes(service: Running) -> None:
    run = service.call("POST", "clients/1/projects/default/training_runs", {"name": "r", "metadata": {"a": 1}})
    service.call("MERGE", f"training_runs/{run['id']}", {"metadata": {"b": "x"}, "assignments": {"p": 1}, "sys_metadata": {"f": {"g": 1}}})
    service.call("MERGE", f"training_runs/{run['id']}", {"metadata": {"a": None}, "sys_metadata": {"f": {"h": 2}}})
    now = service.call("GET", f"training_runs/{run['id']}")
    assert (now["metadata"], now["assignments"], now["sys_metadata"]) == ({"b": "x"}, {"p": 1}, {"f": {"g": 1, "h": 2}})
    service.call("PUT", f"training_runs/{run['id']}", {"metadata": {"c": 1}})
    assert service.call("GET", f"training_runs/{run['id']}")["metadata"] == {"c": 1}


def test_the_best_training_run_respects_objective_and_constraints(service: Running) -> None:
    metrics = [{"name": "m", "objective": "minimize"}, {"name": "s", "strategy": "store"}]
    experiment = service.experiment(metrics=metrics)
    for value, state in ((3.0, "completed"), (1.0, "completed"), (0.0, "failed")):
        run = service.run(experiment)
        service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": value}, "s": {"value": 1}}, "state": state})
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    assert [run["values"]["m"]["value"] for run in best] == [1.0]


def test_an_archived_experiment_takes_no_training_runs_until_it_is_brought_back(service: Running) -> None:
    experiment = service.experiment()
    assert service.call("DELETE", f"experiments/{experiment['id']}") == {}
    assert service.refused("POST", f"aiexperiments/{experiment['id']}/training_runs", {"name": "r"})[0] == 400
    service.call("PUT", f"aiexperiments/{experiment['id']}", {"state": "active"})
    assert service.run(experiment)["id"]


FINITE = [{"name": "i", "type": "int", "bounds": {"min": 1, "max": 4}}]
GRID = [{"name": "i", "type": "int", "grid": [3, 1, 2]}]


@pytest.mark.parametrize("kind", ["offline", "random", "grid"])
def test_a_used_up_space_gives_its_points_again_at_random(service: Running, kind: str) -> None:
    experiment = service.experiment(parameters=GRID if kind == "grid" else FINITE, type=kind, budget=None)
    points = [1, 2, 3] if kind == "grid" else [1, 2, 3, 4]
    assert sorted(service.run(experiment)["assignments"]["i"] for _ in points) == points
    again = [service.run(experiment)["assignments"]["i"] for _ in range(12)]
    assert set(again) <= set(points) and len(set(again)) > 1


def test_a_used_up_space_of_a_core_experiment_gives_its_points_again(service: Running) -> None:
    body = {"name": "core", "parameters": FINITE, "metrics": [{"name": "m"}], "observation_budget": 60}
    path = f"experiments/{service.call('POST', 'experiments', body)['id']}/suggestions"
    assert sorted(service.call("POST", path)["assignments"]["i"] for _ in range(4)) == [1, 2, 3, 4]
    assert {service.call("POST", path)["assignments"]["i"] for _ in range(6)} <= {1, 2, 3, 4}


def test_a_used_up_space_refuses_who_asks_for_untried_points_only(service: Running) -> None:
    experiment = service.experiment(parameters=FINITE)
    path, header = f"aiexperiments/{experiment['id']}/training_runs", {"X-Trialflow-Untried-Only": "true"}
    answers = [service.raw("POST", path, json={"name": "r"}, headers=header) for _ in range(5)]
    assert [one.status_code for one in answers] == [200] * 4 + [400]
    assert "space exhausted" in answers[-1].json()["message"]


def test_a_grid_experiment_goes_through_its_points_in_order(service: Running) -> None:
    parameters = [{"name": "b", "type": "int", "grid": [1, 2]}, {"name": "a", "type": "categorical", "categorical_values": ["x", "y"]}]
    experiment = service.experiment(type="grid", parameters=parameters, budget=None)
    assert experiment["budget"] == 4
    points = [service.run(experiment)["assignments"] for _ in range(4)]
    assert points == [{"a": "x", "b": 1}, {"a": "y", "b": 1}, {"a": "x", "b": 2}, {"a": "y", "b": 2}]


def test_the_budget_of_an_experiment_can_be_raised_and_its_metrics_cannot_be_changed(service: Running) -> None:
    experiment = service.experiment()
    echoed = service.call("PUT", f"aiexperiments/{experiment['id']}", {"budget": 20, "parameters": experiment["parameters"]})
    assert echoed["budget"] == 20
    assert service.refused("PUT", f"aiexperiments/{experiment['id']}", {"metrics": [{"name": "other"}]})[0] == 400


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "x"}, 'Missing required json key "parameters"'),
        ({"zzz": 1}, "Unknown json keys `zzz`"),
        ({"budget": 0}, ".budget"),
        ({"project": "p"}, "Unknown json keys `project`"),
    ],
)
def test_a_bad_experiment_is_refused_with_what_is_wrong(service: Running, body: dict, expected: str) -> None:
    whole = {"name": "e", "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}], **body}
    status, message = service.refused("POST", "clients/1/projects/default/aiexperiments", body if body == {"name": "x"} else whole)
    assert status == 400 and expected in message


def test_checkpoints_are_kept_in_order_and_end_with_the_training_run(service: Running) -> None:
    run = service.run(service.experiment())
    for value in range(3):
        service.call("POST", f"training_runs/{run['id']}/checkpoints", {"values": [{"name": "loss", "value": value}]})
    found = service.call("GET", f"training_runs/{run['id']}/checkpoints")
    assert found["count"] == 3 and [one["values"][0]["value"] for one in found["data"]] == [2, 1, 0]
    service.end(run, 1.0)
    assert service.refused("POST", f"training_runs/{run['id']}/checkpoints", {"values": [{"name": "loss", "value": 1}]})[0] == 403


def test_lists_are_newest_first_filtered_and_in_pages(service: Running) -> None:
    project = service.call("POST", "clients/1/projects", {"id": f"pages-{service.process.pid}", "name": "p"})["id"]
    runs = [{"name": f"r{n}", "values": {"m": {"value": n}}, "state": "completed" if n % 2 else "failed"} for n in range(5)]
    made = service.call("POST", f"clients/1/projects/{project}/training_runs/batch", {"runs": runs, "fields": "id"})["data"]
    assert set(made[0]) == {"id"}
    path = f"clients/1/projects/{project}/training_runs"
    seen, before = [], None
    while True:
        page = service.call("GET", path, {"limit": 2, "before": before})
        seen += [run["name"] for run in page["data"]]
        if (before := page["paging"]["before"]) is None:
            break
    assert seen == ["r4", "r3", "r2", "r1", "r0"]
    filters = [{"field": "values.m.value", "operator": ">", "value": 1}, {"field": "state", "operator": "==", "value": "completed"}]
    assert [run["name"] for run in service.call("GET", path, {"filters": filters})["data"]] == ["r3"]
    names = [run["name"] for run in service.call("GET", path, {"sort": "values.m.value", "ascending": True})["data"]]
    assert names == ["r0", "r1", "r2", "r3", "r4"]
    assert service.refused("GET", path + '?filters=[{"field":"nonsense","operator":"==","value":1}]')[0] == 400


def test_the_core_api_suggests_and_observes(service: Running) -> None:
    parameters = [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}]
    experiment = service.call("POST", "experiments", {"name": "core", "parameters": parameters, "metrics": [{"name": "m"}], "observation_budget": 3})
    path = f"experiments/{experiment['id']}"
    service.call("POST", f"{path}/queued_suggestions", {"assignments": {"x": 0.25}})
    first = service.call("POST", f"{path}/suggestions")
    assert first["assignments"] == {"x": 0.25} and first["state"] == "open"
    service.call("POST", f"{path}/observations", {"suggestion": first["id"], "values": [{"name": "m", "value": 1, "value_stddev": 0.1}]})
    second = service.call("POST", f"{path}/suggestions")
    service.call("POST", f"{path}/observations", {"suggestion": second["id"], "failed": True})
    service.call("POST", f"{path}/observations", {"assignments": {"x": 0.9}, "value": 2})
    assert service.call("GET", path)["progress"]["observation_count"] == 3
    assert service.call("GET", f"{path}/suggestions", {"state": "open"})["count"] == 0
    assert service.call("GET", f"{path}/best_assignments")["data"][0]["value"] == 2
    assert service.refused("POST", f"{path}/observations", {"assignments": {"y": 1}, "value": 2})[0] == 400
    service.call("DELETE", f"{path}/observations")
    assert service.call("GET", path)["progress"]["observation_count"] == 0


def test_importances_say_which_parameter_matters(service: Running) -> None:
    experiment = service.experiment()
    for number in range(12):
        run = service.run(experiment, assignments={"x": number / 11, "k": "a" if number % 2 else "b"})
        service.end(run, number / 11)
    (found,) = service.call("GET", f"aiexperiments/{experiment['id']}/metric_importances")["data"]
    assert found["metric"] == "m" and found["importances"]["x"] > 0.8
    (believed,) = service.call("GET", f"aiexperiments/{experiment['id']}/beliefs")["data"]
    assert believed["metric"] == "m" and believed["best"]["x"] > 0.8 and abs(believed["value"] - 1) < 0.2
    assert believed["importances"] == found["importances"] and set(believed["length_scales"]) == {"x", "k"}


def test_conditionals_are_part_of_the_assignments_and_inactive_parameters_are_not(service: Running) -> None:
    parameters = [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}, "conditions": {"c": "a"}},
        {"name": "y", "type": "int", "bounds": {"min": 1, "max": 9}, "conditions": {"c": ["b"]}},
    ]
    experiment = service.experiment(parameters=parameters, conditionals=[{"name": "c", "values": ["a", "b"]}], budget=12)
    seen = set()
    for number in range(12):
        run = service.run(experiment)
        assert set(run["assignments"]) == {"c", "x" if run["assignments"]["c"] == "a" else "y"}
        seen.add(run["assignments"]["c"])
        service.end(run, float(number))
    assert seen == {"a", "b"}


def test_linear_constraints_hold_for_every_suggestion(service: Running) -> None:
    parameters = [{"name": name, "type": "double", "bounds": {"min": 0, "max": 1}} for name in ("x", "y")]
    terms = [{"name": "x", "weight": 1}, {"name": "y", "weight": 1}]
    constraints = [{"type": "less_than", "threshold": 0.5, "terms": terms}]
    experiment = service.experiment(parameters=parameters, linear_constraints=constraints, budget=12)
    for _ in range(10):
        run = service.run(experiment)
        assert run["assignments"]["x"] + run["assignments"]["y"] <= 0.5 + 1e-9
        service.end(run, run["assignments"]["x"])


def test_two_metrics_have_a_front_as_their_best(service: Running) -> None:
    metrics = [{"name": "m", "objective": "maximize"}, {"name": "n", "objective": "minimize"}]
    experiment = service.experiment(metrics=metrics, budget=10)
    for m, n in ((1, 1), (2, 2), (3, 3), (2, 5), (0, 1)):
        run = service.run(experiment)
        service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": m}, "n": {"value": n}}, "state": "completed"})
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    assert [(run["values"]["m"]["value"], run["values"]["n"]["value"]) for run in best] == [(3, 3), (2, 2), (1, 1)]


def test_several_solutions_are_good_and_far_from_each_other(service: Running) -> None:
    experiment = service.experiment(parameters=[{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}], num_solutions=2, budget=40)
    for number in range(40):
        x = number / 39
        run = service.run(experiment, assignments={"x": x})
        service.end(run, -min((x - 0.1) ** 2, (x - 0.9) ** 2))
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    found = sorted(run["assignments"]["x"] for run in best)
    assert len(found) == 2 and found[0] < 0.25 and found[1] > 0.75
