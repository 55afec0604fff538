"""Rules of the SigOpt API that its users meet: tags, best training runs, filters, pages, updates, observations, grids, tokens."""

import json
import time
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.service.conftest import Running

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
RUNS = "clients/1/projects/default/training_runs"


def core(service: Running, **fields: Any) -> str:
    """The path of a new core experiment."""
    body = {"name": "core", "parameters": [X], "metrics": [{"name": "m"}], "observation_budget": 60, **fields}
    return f"experiments/{service.call('POST', 'experiments', body)['id']}"


def project(service: Running, name: str) -> str:
    return service.call("POST", "clients/1/projects", {"id": f"{name}-{service.process.pid}", "name": name})["id"]


# tags


def test_tags_are_a_list_that_null_clears(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r"})
    assert run["tags"] == []
    path = f"training_runs/{run['id']}"
    service.call("MERGE", path, {"tags": ["a", "b", "a"]})
    assert service.call("GET", path)["tags"] == ["a", "b"]
    service.call("PUT", path, {"tags": None})
    assert service.call("GET", path)["tags"] == []
    assert service.call("POST", RUNS, {"name": "r", "tags": ["t"]})["tags"] == ["t"]
    for wrong in ({"a": 1}, "a", [1], [""]):
        assert service.refused("MERGE", path, {"tags": wrong})[0] == 400


# times


def test_a_result_is_an_update_of_its_experiment_and_of_its_project(service: Running) -> None:
    named = project(service, "moved")
    ai = service.call("POST", f"clients/1/projects/{named}/aiexperiments", {"name": "ai", "parameters": [X], "metrics": [{"name": "m"}], "budget": 9})
    run = service.call("POST", f"aiexperiments/{ai['id']}/training_runs", {"name": "r"})
    other = core(service, project=named)
    paths = (f"aiexperiments/{ai['id']}", other, f"clients/1/projects/{named}")

    def updated() -> list[int]:
        return [service.call("GET", path)["updated"] for path in paths]

    before = updated()
    time.sleep(1.1)  # they are told in seconds
    service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": 1}}, "state": "completed"})
    after = updated()
    assert after[0] > before[0] and after[1] == before[1] and after[2] > before[2]
    time.sleep(1.1)
    service.call("POST", f"{other}/observations", {"assignments": {"x": 0.5}, "values": [{"name": "m", "value": 1}]})
    last = updated()
    assert last[0] == after[0] and last[1] > after[1] and last[2] > after[2]


# best training runs


def test_several_solutions_are_as_many_as_there_are_distinct_points(service: Running) -> None:
    experiment = service.experiment(parameters=[X], num_solutions=3)
    newest = ""
    for x, value in ((0.2, 5.0), (0.2, 5.0), (0.8, 1.0)):
        run = service.run(experiment, assignments={"x": x})
        service.end(run, value)
        newest = run["id"] if x == 0.2 else newest
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    assert [run["assignments"]["x"] for run in best] == [0.2, 0.8] and best[0]["id"] == newest


@pytest.mark.parametrize("metrics", [[{"name": "m"}], [{"name": "m"}, {"name": "n"}], [{"name": "m", "strategy": "constraint", "threshold": 0}]])
def test_of_results_that_tie_the_newest_is_first(service: Running, metrics: list) -> None:
    experiment = service.experiment(metrics=metrics)
    made = []
    for _ in range(3):
        made.append(service.run(experiment)["id"])
        values = {one["name"]: {"value": 1} for one in metrics}
        service.call("MERGE", f"training_runs/{made[-1]}", {"values": values, "state": "completed"})
    best = service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["data"]
    is_search = metrics[0].get("strategy") == "constraint"
    assert [run["id"] for run in best] == (made[::-1] if is_search else made[-1:])


def test_best_training_runs_come_in_pages_best_first(service: Running) -> None:
    experiment = service.experiment(metrics=[{"name": "m"}, {"name": "n", "objective": "minimize"}])
    for value in (1, 2, 3):
        run = service.run(experiment)
        service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": value}, "n": {"value": value}}, "state": "completed"})
    path, seen, before = f"aiexperiments/{experiment['id']}/best_training_runs", [], None
    while True:
        page = service.call("GET", path, {"limit": 1, "before": before})
        assert len(page["data"]) == 1 and page["count"] == 3
        seen.append(page["data"][0]["values"]["m"]["value"])
        if (before := page["paging"]["before"]) is None:
            break
    assert seen == [3, 2, 1]


# filters and pages


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("id", "==", {}), ("id", "==", "abc"), ("id", ">", 10**30), ("id", ">", None), ("experiment", "==", [1]), ("state", "==", "nonsense"),
        ("state", "==", {}), ("state", "!=", "active"), ("state", "==", None), ("deleted", "==", "no"), ("deleted", ">", True), ("name", "==", 3),
        ("name", ">", None), ("created", "<", "yesterday"), ("updated", "==", True), ("metadata.a", "==", {}), ("assignments.x", "<", [1]),
        ("values.m.value", "==", "high"), ("values.m.other", "==", 1), ("values", "==", 1), ("logs.stdout.content", "==", 1), ("id", ["=="], 1),
        ("id", {}, 1), ("id", None, 1), (["id"], "==", 1), (None, "==", 1), ("name", "isnull", "x"), ("model.type", "==", 1),
    ],
)  # fmt: skip
def test_a_filter_with_a_wrong_field_operator_or_value_is_a_400(service: Running, field: Any, operator: Any, value: Any) -> None:
    filters = json.dumps([{"field": field, "operator": operator, "value": value}])
    assert service.refused("GET", f"{RUNS}?filters={quote(filters)}")[0] == 400


NO_FILTERS = (
    "{}",
    "[1]",
    "3",
    '"x"',
    "[",
    '[{"field":"id","operator":"==","value":1,"more":2}]',
    '[{"field":"name","operator":"==","value":"\\u0000"}]',
)


@pytest.mark.parametrize("filters", NO_FILTERS)
def test_filters_that_are_no_filters_are_a_400(service: Running, filters: str) -> None:
    assert service.refused("GET", f"{RUNS}?filters={quote(filters)}")[0] == 400


def test_filters_compare_what_is_there(service: Running) -> None:
    path = f"clients/1/projects/{project(service, 'filters')}/training_runs"
    for name, meta in (("a", 1), ("b", "text"), ("c", None)):
        service.call("POST", path, {"name": name, "metadata": {"k": meta}})

    def names(*filters: tuple) -> list[str]:
        query = [{"field": field, "operator": operator, "value": value} for field, operator, value in filters]
        return [run["name"] for run in service.call("GET", path, {"filters": query})["data"]]

    assert names(("metadata.k", ">", 0)) == ["a"] and names(("metadata.k", ">=", "s")) == ["b"]
    assert names(("metadata.k", "isnull", True)) == ["c"] and names(("metadata.k", "==", None)) == ["c"]
    assert names(("metadata.k", "!=", None)) == ["b", "a"] and names(("name", "==", "a"), ("state", "==", "active")) == ["a"]


@pytest.mark.parametrize("search", ["", "[x]", "{", "true", "%", "[1"])
def test_a_search_is_text_whatever_it_looks_like(service: Running, search: str) -> None:
    path = f"clients/1/projects/{project(service, f'search{abs(hash(search)) % 10**9}')}"
    service.call("POST", f"{path}/training_runs", {"name": f"run {search} here"})
    service.call("POST", f"{path}/training_runs", {"name": "other"})
    found = [run["name"] for run in service.call("GET", f"{path}/training_runs?search={quote(search)}")["data"]]
    assert found == (["other", "run  here"] if search == "" else [f"run {search} here"])
    assert service.call("GET", f"{path}/aiexperiments?search={quote(search)}")["data"] == []


@pytest.mark.parametrize("sort", ["id", "created", "metadata.k"])
@pytest.mark.parametrize("ascending", [True, False])
def test_every_training_run_is_on_one_page_in_either_direction(service: Running, sort: str, ascending: bool) -> None:
    path = f"clients/1/projects/{project(service, f'pages-{sort.lower()}-{ascending}'.lower())}/training_runs"
    made = [service.call("POST", path, {"name": f"r{number}", "metadata": {"k": number // 2}})["id"] for number in range(5)]
    marker, seen, query = "after" if ascending else "before", [], {}
    while True:
        page = service.call("GET", path, {"limit": 2, "sort": sort, "ascending": ascending, **query})
        seen += [run["id"] for run in page["data"]]
        if page["paging"][marker] is None:
            break
        query = {marker: page["paging"][marker]}
    assert seen == (made if ascending else made[::-1])


@pytest.mark.parametrize("ascending", ["true", "false"])
def test_before_means_ids_below_and_after_ids_above(service: Running, ascending: str) -> None:
    path = f"clients/1/projects/{project(service, f'marks-{ascending}')}/training_runs"
    made = [service.call("POST", path, {"name": "r"})["id"] for _ in range(5)]
    for marker, expected in (("before", made[1:2]), ("after", made[3:4])):
        page = service.call("GET", f"{path}?ascending={ascending}&limit=1&{marker}={made[2]}")
        assert [run["id"] for run in page["data"]] == expected
    first = service.call("GET", f"{path}?ascending={ascending}&limit=2")
    assert first["paging"]["after"] == (made[1] if ascending == "true" else made[4])


# updates of experiments


def test_what_is_not_sent_of_a_known_parameter_stays(service: Running) -> None:
    prior = {"name": "normal", "mean": 0.5, "scale": 0.1}
    parameters = [
        {"name": "l", "type": "double", "bounds": {"min": 0.1, "max": 1}, "transformation": "log", "conditions": {"c": "a"}},
        {**X, "prior": prior, "default_value": 0.25},
        {"name": "g", "type": "int", "grid": [3, 1, 2]},
    ]
    experiment = service.experiment(parameters=parameters, conditionals=[{"name": "c", "values": ["a", "b"]}])
    path = f"aiexperiments/{experiment['id']}"
    changed = service.call("PUT", path, {"parameters": [{"name": "l", "bounds": {"min": 0.2, "max": 2}}, {"name": "x"}, {"name": "g"}]})
    g, l, x = changed["parameters"]  # noqa: E741
    assert (l["transformation"], l["conditions"], l["type"], l["bounds"]["max"]) == ("log", {"c": ["a"]}, "double", 2)
    assert x["prior"]["mean"] == 0.5 and x["default_value"] == 0.25 and g["grid"] == [1, 2, 3]
    again = service.call("PUT", path, {"parameters": changed["parameters"], "no_optimize": True})
    assert again["parameters"] == changed["parameters"]
    without = service.call("PUT", path, {"parameters": [{"name": "l"}, {"name": "x", "prior": None, "default_value": None}, {"name": "g"}]})
    assert without["parameters"][2]["prior"] is None and without["parameters"][2]["default_value"] is None
    assert service.refused("PUT", path, {"no_optimize": "x"})[0] == 400


@pytest.mark.parametrize("kind", ["ai", "core"])
def test_empty_metadata_are_kept_and_only_null_clears(service: Running, kind: str) -> None:
    path = f"aiexperiments/{service.experiment(metadata={'a': 1})['id']}" if kind == "ai" else core(service, metadata={"a": 1})
    assert service.call("PUT", path, {"metadata": {}})["metadata"] == {}
    assert service.call("GET", path)["metadata"] == {}
    assert service.call("PUT", path, {"metadata": {"a": None, "b": 2}})["metadata"] == {"b": 2}
    assert service.call("PUT", path, {"metadata": None})["metadata"] is None


def test_metadata_of_suggestions_and_observations_follow_the_same_rule(service: Running) -> None:
    path = core(service)
    suggestion = service.call("POST", f"{path}/suggestions", {"metadata": {"a": None, "b": 1}})
    observation = service.call("POST", f"{path}/observations", {"assignments": {"x": 0.5}, "value": 1, "metadata": {"a": None, "b": 1}})
    for place, made in ((f"{path}/suggestions/{suggestion['id']}", suggestion), (f"{path}/observations/{observation['id']}", observation)):
        assert made["metadata"] == {"b": 1}
        assert service.call("PUT", place, {})["metadata"] == {"b": 1}
        assert service.call("PUT", place, {"metadata": {}})["metadata"] == {}
        assert service.call("PUT", place, {"metadata": None})["metadata"] is None
    run = service.call("POST", RUNS, {"name": "r", "metadata": {"a": None, "b": 1}})
    assert run["metadata"] == {"b": 1}


def test_a_null_threshold_removes_that_of_an_optimized_metric_only(service: Running) -> None:
    metrics = [{"name": "m", "threshold": 2}, {"name": "n"}, {"name": "c", "strategy": "constraint", "threshold": 1}]
    path = f"aiexperiments/{service.experiment(metrics=metrics)['id']}"
    changed = service.call("PUT", path, {"metrics": [{"name": "m", "threshold": None}, {"name": "n"}, {"name": "c"}]})
    assert {one["name"]: one["threshold"] for one in changed["metrics"]} == {"m": None, "n": None, "c": 1}
    assert service.refused("PUT", path, {"metrics": [{"name": "m"}, {"name": "n"}, {"name": "c", "threshold": None}]})[0] == 400


@pytest.mark.parametrize("kind", ["ai", "core"])
def test_an_update_without_a_name_means_the_only_metric_and_no_metrics_are_refused(service: Running, kind: str) -> None:
    metric = {"name": "m", "strategy": "constraint", "threshold": 1}
    path = f"aiexperiments/{service.experiment(metrics=[metric])['id']}" if kind == "ai" else core(service, metrics=[metric])
    assert service.call("PUT", path, {"metrics": [{"threshold": 2}]})["metrics"][0]["threshold"] == 2
    assert service.refused("PUT", path, {"metrics": []})[0] == 400
    assert service.refused("PUT", path, {"metrics": [{"name": "other", "threshold": 2}]})[0] == 400


def test_an_experiment_moves_with_its_training_runs(service: Running) -> None:
    target = project(service, "target")
    experiment = service.experiment()
    run = service.run(experiment)
    assert service.call("PUT", f"aiexperiments/{experiment['id']}", {"project": target})["project"] == target
    assert service.call("GET", f"training_runs/{run['id']}")["project"] == target
    of_it = [{"field": "experiment", "operator": "==", "value": experiment["id"]}]
    found = service.call("GET", f"clients/1/projects/{target}/training_runs", {"filters": of_it})
    assert [one["id"] for one in found["data"]] == [run["id"]]
    assert service.refused("PUT", f"aiexperiments/{experiment['id']}", {"project": "nowhere"})[0] == 400
    path = core(service, project="default")
    assert service.call("PUT", path, {"project": target})["project"] == target
    assert service.refused("PUT", path, {"project": 3})[0] == 400
    body = {"name": "e", "parameters": [X], "metrics": [{"name": "m"}], "project": "nowhere"}
    assert service.refused("POST", "experiments", body)[0] == 400


def test_a_training_run_moves_to_a_project_that_exists(service: Running) -> None:
    target = project(service, "another")
    run = service.call("POST", RUNS, {"name": "r", "project": "default"})
    assert service.call("PUT", f"training_runs/{run['id']}", {"project": target})["project"] == target
    assert service.call("GET", f"training_runs/{run['id']}")["project"] == target
    assert service.refused("MERGE", f"training_runs/{run['id']}", {"project": "nowhere"})[0] == 400
    assert service.refused("POST", RUNS, {"name": "r", "project": "nowhere"})[0] == 400
    assert service.refused("PUT", f"training_runs/{service.run(service.experiment())['id']}", {"project": target})[0] == 400


# observations


def test_a_standard_deviation_stays_until_null_erases_it(service: Running) -> None:
    path = core(service)
    made = service.call("POST", f"{path}/observations", {"assignments": {"x": 0.5}, "value": 1, "value_stddev": 0.5})
    place = f"{path}/observations/{made['id']}"

    def put(**body: Any) -> tuple:
        now = service.call("PUT", place, body)
        return now["value"], now["value_stddev"]

    assert put(value=2) == (2, 0.5) and put(values=[{"name": "m", "value": 3}]) == (3, 0.5)
    assert put(value_stddev=0.25) == (3, 0.25) and put(value_stddev=None) == (3, None)
    assert put(values=[{"value": 4, "value_stddev": 1}]) == (4, 1) and put(values=[{"value": 5, "value_stddev": None}]) == (5, None)


def test_an_observation_that_changes_its_suggestion_reopens_the_one_it_leaves(service: Running) -> None:
    path = core(service)
    first, second = (service.call("POST", f"{path}/suggestions")["id"] for _ in range(2))
    made = service.call("POST", f"{path}/observations", {"suggestion": first, "value": 1})

    def states() -> list[str]:
        return [service.call("GET", f"{path}/suggestions/{one}")["state"] for one in (first, second)]

    assert states() == ["closed", "open"]
    service.call("PUT", f"{path}/observations/{made['id']}", {"suggestion": second})
    assert states() == ["open", "closed"]
    service.call("PUT", f"{path}/observations/{made['id']}", {"assignments": {"x": 0.1}})
    assert states() == ["open", "open"]


def test_saying_of_a_good_observation_that_it_did_not_fail_changes_nothing(service: Running) -> None:
    path = core(service)
    made = service.call("POST", f"{path}/observations", {"assignments": {"x": 0.5}, "value": 1})
    assert service.call("PUT", f"{path}/observations/{made['id']}", {"failed": False}) == made
    failed = service.call("POST", f"{path}/observations", {"assignments": {"x": 0.5}, "failed": True})
    assert service.refused("PUT", f"{path}/observations/{failed['id']}", {"failed": False})[0] == 400


def test_observations_are_sorted_by_what_the_api_names(service: Running) -> None:
    path = core(service, parameters=[X, {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]}])
    for x, k, value in ((0.3, "a", 2), (0.1, "b", 3), (0.2, "a", 1)):
        service.call("POST", f"{path}/observations", {"assignments": {"x": x, "k": k}, "value": value, "value_stddev": value})
    service.call("POST", f"{path}/observations", {"assignments": {"x": 0.9, "k": "b"}, "failed": True})

    def listed(sort: str, ascending: bool = True) -> list[float]:
        return [one["assignments"]["x"] for one in service.call("GET", f"{path}/observations", {"sort": sort, "ascending": ascending})["data"]]

    assert listed("value") == listed("value_stddev") == listed("value-m") == [0.2, 0.3, 0.1, 0.9]
    assert listed("value", False) == [0.1, 0.3, 0.2, 0.9]
    assert listed("parameter-x") == [0.1, 0.2, 0.3, 0.9] and listed("parameter") == [0.2, 0.3, 0.1, 0.9]
    assert listed("timestamp") == listed("id") == listed("task") == [0.3, 0.1, 0.2, 0.9]
    for wrong in ("nonsense", "value-n", "parameter-z", "[]"):
        assert service.refused("GET", f"{path}/observations?sort={quote(wrong)}")[0] == 400
    assert service.refused("GET", f"{path}/suggestions?sort=value")[0] == 400


def test_deleted_observations_are_shown_if_asked_for(service: Running) -> None:
    path = core(service)
    made = service.call("POST", f"{path}/observations", {"assignments": {"x": 0.5}, "value": 1})
    service.call("DELETE", f"{path}/observations/{made['id']}")
    assert service.call("GET", f"{path}/observations")["count"] == 0
    (shown,) = service.call("GET", f"{path}/observations", {"deleted": True})["data"]
    assert shown["id"] == made["id"] and shown["deleted"] is True


def test_a_dry_run_checks_and_stores_nothing(service: Running) -> None:
    path = core(service)
    body = {"assignments": {"x": 0.5}, "value": 1}
    assert service.call("POST", f"{path}/observations", {**body, "dry_run": True})["id"] is None
    assert service.call("POST", f"{path}/observations/batch", {"observations": [body, body], "dry_run": True})["count"] == 2
    assert service.refused("POST", f"{path}/observations", {"value": 1, "dry_run": True})[0] == 400
    assert service.call("GET", f"{path}/observations")["count"] == 0


def test_a_batch_with_a_wrong_observation_stores_none(service: Running) -> None:
    path = core(service)
    bodies = [{"assignments": {"x": 0.5}, "value": 1}, {"assignments": {"y": 0.5}, "value": 1}]
    assert service.refused("POST", f"{path}/observations/batch", {"observations": bodies})[0] == 400
    assert service.call("GET", f"{path}/observations")["count"] == 0


def test_an_archived_experiment_takes_no_observations_or_suggestions(service: Running) -> None:
    path = core(service)
    service.call("DELETE", path)
    for place, body in (
        ("observations", {"assignments": {"x": 0.5}, "value": 1}),
        ("suggestions", {}),
        ("queued_suggestions", {"assignments": {"x": 1}}),
    ):
        assert service.refused("POST", f"{path}/{place}", body)[0] == 400


@pytest.mark.parametrize("suggestion", ["999999999", 999999999, "x", 10**30, {}, True])
def test_an_unknown_suggestion_in_a_body_is_a_400(service: Running, suggestion: Any) -> None:
    assert service.refused("POST", f"{core(service)}/observations", {"suggestion": suggestion, "value": 1})[0] == 400


# the rest


def test_suggestions_are_listed_by_their_ids(service: Running) -> None:
    path = core(service)
    ids = [service.call("POST", f"{path}/suggestions")["id"] for _ in range(3)]
    found = service.call("GET", f"{path}/suggestions?id={ids[0]},{ids[2]}")["data"]
    assert [one["id"] for one in found] == [ids[2], ids[0]]
    for wrong in ("x", "1,,2", "9" * 30):
        assert service.refused("GET", f"{path}/suggestions?id={wrong}")[0] == 400


def test_a_grid_is_sorted(service: Running) -> None:
    experiment = service.experiment(parameters=[{"name": "g", "type": "double", "grid": [0.5, 0.1, 0.2]}])
    assert experiment["parameters"][0]["grid"] == [0.1, 0.2, 0.5]
    again = service.experiment(parameters=experiment["parameters"])
    assert again["parameters"] == experiment["parameters"]


@pytest.mark.parametrize("is_ended", [True, False])
def test_archiving_a_training_run_of_a_grid_repeats_no_point(service: Running, is_ended: bool) -> None:
    experiment = service.experiment(type="grid", parameters=[{"name": "i", "type": "int", "grid": [1, 2, 3, 4]}], budget=None)
    first, second = service.run(experiment), service.run(experiment)
    if is_ended:
        service.end(first, 1.0)
        service.end(second, 1.0)
    service.call("DELETE", f"training_runs/{first['id']}")
    assert [service.run(experiment)["assignments"]["i"] for _ in range(3)] == [3, 4, 1]


@pytest.mark.parametrize("content_type", ["png", "", "image/", "/png", "image/png\r\nX: y", "a b/c", None, 3])
def test_a_content_type_that_is_none_is_a_400(service: Running, content_type: Any) -> None:
    run = service.call("POST", RUNS, {"name": "r"})
    announced = {"content_length": 1, "content_md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "content_type": content_type}
    assert service.refused("POST", f"training_runs/{run['id']}/files", announced)[0] == 400
    assert service.call("POST", f"training_runs/{run['id']}/files", {**announced, "content_type": "text/html; charset=utf-8"})["id"]


def test_a_client_has_a_time_of_creation(service: Running) -> None:
    assert service.call("GET", "clients/1")["created"] == service.call("GET", "clients/1/projects/default")["created"] > 1_000_000_000


def test_a_guest_token_reads_its_experiment_and_nothing_else(service: Running) -> None:
    experiment, other = service.experiment(), service.experiment()
    token = service.call("POST", f"experiments/{experiment['id']}/tokens")
    assert (token["token_type"], token["experiment"], token["permissions"]) == ("guest", experiment["id"], "read")

    def status(method: str, path: str) -> int:
        return requests.request(method, f"{service.url}/v1/{path}", auth=(token["token"], ""), timeout=10).status_code

    assert status("GET", f"aiexperiments/{experiment['id']}") == status("GET", f"experiments/{experiment['id']}/observations") == 200
    assert status("GET", "tokens/self") == 200
    for method, path in (
        ("GET", f"aiexperiments/{other['id']}"),
        ("GET", RUNS),
        ("GET", f"tokens/{service.token}"),
        ("PUT", f"aiexperiments/{experiment['id']}"),
        ("POST", f"aiexperiments/{experiment['id']}/training_runs"),
        ("POST", f"experiments/{experiment['id']}/tokens"),
    ):
        assert status(method, path) == 403, (method, path)
    forged = f"guest-{other['id']}-{token['token'].rpartition('-')[2]}"
    assert requests.get(f"{service.url}/v1/aiexperiments/{other['id']}", auth=(forged, ""), timeout=10).status_code == 403


def test_one_that_was_stopped_early_needs_no_stored_metric(service: Running) -> None:
    experiment = service.experiment(metrics=[{"name": "m"}, {"name": "s", "strategy": "store"}])
    for dev, failed in (({"trialflow_stopped_early": "no better than the others"}, False), ({}, True)):
        run = service.run(experiment)
        service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": 1}}, "dev_metadata": dev, "state": "completed"})
        newest = service.call("GET", f"experiments/{experiment['id']}/observations")["data"][0]
        assert newest["failed"] is failed
    assert service.call("GET", f"aiexperiments/{experiment['id']}/beliefs")["count"] >= 0 and service.run(experiment)["suggestion"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"values": {"m": {"value": 1' + b"0" * 400 + b"}}}", b'{"values": {"m": {"value": 1e400}}}', b'{"assignments": {"x": 1e400}}',
        b'{"metadata": {"k": 1e400}}', b'{"sys_metadata": {"feature_importances": {"scores": {"f": 1e400}}}}', b'{"metadata": {"k": "\\u0000"}}',
        b'{"name": "\\ud800"}', b'{"logs": {"stdout": {"content": "\\u0000"}}}',
    ],
)  # fmt: skip
def test_wrong_data_are_a_400_and_never_a_429(service: Running, body: bytes) -> None:
    run = service.call("POST", RUNS, {"name": "r"})
    assert service.raw("MERGE", f"training_runs/{run['id']}", data=body).status_code == 400


def test_an_integer_of_more_than_64_bits_becomes_a_float(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r", "values": {"m": {"value": 10**300}}, "assignments": {"x": 10**30}, "metadata": {"k": -(10**30)}})
    assert (run["values"]["m"]["value"], run["assignments"]["x"], run["metadata"]["k"]) == (1e300, 1e30, -1e30)


def test_a_training_run_holds_at_most_a_mebibyte(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r", "source_code": {"content": "x" * (700 << 10)}})
    status, message = service.refused("MERGE", f"training_runs/{run['id']}", {"source_code": {"hash": "y" * (400 << 10)}})
    assert status == 400 and "1048576" in message
    service.call("MERGE", f"training_runs/{run['id']}", {"metadata": {"still": "works"}})


@pytest.mark.parametrize("identifier", ["9" * 18, "9" * 19, "9" * 40, "-1", "%00", "１", "1e3", "a" * 5000])
@pytest.mark.parametrize("path", ["training_runs/{}", "aiexperiments/{}", "clients/1/projects/{}", "files/{}", "experiments/1/observations/{}"])
def test_an_id_that_cannot_be_is_a_404(service: Running, path: str, identifier: str) -> None:
    assert service.refused("GET", path.format(identifier))[0] == 404


# clients before version 8


def test_a_training_run_that_names_a_suggestion_executes_it_and_is_observed_once(service: Running) -> None:
    path = core(service, project="default")
    number = path.partition("/")[2]
    suggestion = service.call("POST", f"{path}/suggestions")
    run = service.call("POST", RUNS, {"name": "r", "suggestion": suggestion["id"]})
    assert (run["experiment"], run["suggestion"], run["assignments"]) == (number, suggestion["id"], suggestion["assignments"])
    assert service.refused("POST", RUNS, {"name": "r", "suggestion": suggestion["id"]})[0] == 400
    service.call("MERGE", f"training_runs/{run['id']}", {"values": {"m": {"value": 3}}, "state": "completed"})
    made = [service.call("POST", f"{path}/observations", {"training_run": run["id"]}) for _ in range(2)]
    assert made[0] == made[1] and made[0]["value"] == 3 and made[0]["suggestion"] == suggestion["id"]
    assert service.call("GET", f"{path}/observations")["count"] == 1
    assert service.call("POST", RUNS, {"name": "r", "suggestion": None})["suggestion"] is None


def test_a_training_run_without_its_metrics_is_observed_only_as_failed(service: Running) -> None:
    path = core(service, project="default")
    run = service.call("POST", RUNS, {"name": "r", "suggestion": service.call("POST", f"{path}/suggestions")["id"]})
    assert service.refused("POST", f"{path}/observations", {"training_run": run["id"]})[0] == 400
    assert service.call("POST", f"{path}/observations", {"training_run": run["id"], "failed": True})["failed"] is True
    other = service.call("POST", RUNS, {"name": "r"})
    for wrong in (other["id"], "999999999", "x"):
        assert service.refused("POST", f"{path}/observations", {"training_run": wrong})[0] == 400
    assert service.refused("POST", RUNS, {"name": "r", "suggestion": "999999999"})[0] == 400
