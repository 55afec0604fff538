"""The core API over HTTP: what belongs to which experiment, deletes, updates, the best assignments, stopping criteria, lists."""

from typing import Any

import pytest

from tests.service.conftest import Running

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}


def core(service: Running, **fields: Any) -> str:
    """The path of a new core experiment over `x` and `m`."""
    body = {"name": "core", "parameters": [X], "metrics": [{"name": "m"}], "observation_budget": 60, **fields}
    return f"experiments/{service.call('POST', 'experiments', body)['id']}"


def observe(service: Running, path: str, x: float, value: float | None) -> dict[str, Any]:
    measured = {"failed": True} if value is None else {"value": value}
    return service.call("POST", f"{path}/observations", {"assignments": {"x": x}, **measured})


def test_what_belongs_to_another_experiment_is_not_found_and_not_changed(service: Running) -> None:
    path, other = core(service), core(service)
    suggestion, observation = service.call("POST", f"{path}/suggestions"), observe(service, path, 0.5, 1)
    for expected, method, place, body in (
        (404, "GET", f"suggestions/{suggestion['id']}", {}),
        (404, "PUT", f"suggestions/{suggestion['id']}", {"metadata": {"a": 1}}),
        (404, "DELETE", f"suggestions/{suggestion['id']}", {}),
        (404, "GET", f"observations/{observation['id']}", {}),
        (404, "PUT", f"observations/{observation['id']}", {"value": 9}),
        (404, "DELETE", f"observations/{observation['id']}", {}),
        (400, "POST", "observations", {"suggestion": suggestion["id"], "value": 9}),
        (400, "PUT", f"observations/{observe(service, other, 0.1, 1)['id']}", {"suggestion": suggestion["id"]}),
    ):
        status, message = service.refused(method, f"{other}/{place}", body)
        assert status == expected and ("suggestion" in message or "observation" in message), (method, place)
    assert service.call("GET", f"{path}/suggestions/{suggestion['id']}")["metadata"] is None
    assert service.call("GET", f"{path}/observations/{observation['id']}")["value"] == 1


def test_suggestions_and_observations_of_an_ai_experiment_are_not_changed_by_hand(service: Running) -> None:
    experiment = service.experiment()
    run = service.run(experiment)
    service.end(run, 1.0)
    path = f"experiments/{experiment['id']}"
    for method, place in (
        ("POST", "suggestions"),
        ("POST", "observations"),
        ("PUT", f"suggestions/{run['suggestion']}"),
        ("DELETE", f"suggestions/{run['suggestion']}"),
        ("DELETE", "suggestions"),
        ("DELETE", "observations"),
    ):
        assert service.refused(method, f"{path}/{place}")[0] == 403, (method, place)
    assert service.call("GET", f"{path}/observations")["count"] == 1


def test_deleting_open_suggestions_leaves_the_closed_ones(service: Running) -> None:
    path = core(service)
    closed, _ = service.call("POST", f"{path}/suggestions"), service.call("POST", f"{path}/suggestions")
    service.call("POST", f"{path}/observations", {"suggestion": closed["id"], "value": 1})
    assert service.refused("DELETE", f"{path}/suggestions?state=nonsense")[0] == 400
    service.call("DELETE", f"{path}/suggestions", {"state": "open"})
    assert [one["id"] for one in service.call("GET", f"{path}/suggestions")["data"]] == [closed["id"]]
    service.call("DELETE", f"{path}/suggestions")
    assert service.call("GET", f"{path}/suggestions")["count"] == 0


def test_an_observation_can_be_corrected(service: Running) -> None:
    path = core(service)
    suggestion = service.call("POST", f"{path}/suggestions")
    made = service.call("POST", f"{path}/observations", {"suggestion": suggestion["id"], "failed": True})
    place = f"{path}/observations/{made['id']}"
    fixed = service.call("PUT", place, {"failed": False, "values": [{"name": "m", "value": 2, "value_stddev": 0.5}], "metadata": {"a": "b"}})
    assert (fixed["failed"], fixed["value"], fixed["value_stddev"], fixed["metadata"]) == (False, 2, 0.5, {"a": "b"})
    moved = service.call("PUT", place, {"assignments": {"x": 0.25}})
    assert (moved["assignments"], moved["suggestion"], moved["value"]) == ({"x": 0.25}, None, 2)
    back = service.call("PUT", place, {"suggestion": suggestion["id"]})
    assert back["assignments"] == suggestion["assignments"] and service.call("GET", place) == back
    assert service.refused("PUT", place, {"suggestion": suggestion["id"], "assignments": {"x": 0.1}})[0] == 400
    assert service.refused("PUT", place, {"failed": True, "value": 1})[0] == 400
    assert service.refused("PUT", place, {"value": 1, "values": [{"value": 2}]})[0] == 400
    assert service.refused("PUT", f"{path}/suggestions/{suggestion['id']}", {"state": "nonsense"})[0] == 400


def test_conditionals_in_assignments_are_checked(service: Running) -> None:
    parameters = [{**X, "conditions": {"c": "a"}}, {**X, "name": "y", "conditions": {"c": "b"}}]
    path = core(service, parameters=parameters, conditionals=[{"name": "c", "values": ["a", "b"]}])
    for given in ({"c": "z", "x": 0.5}, {"x": 0.5}, {"c": "a", "x": 0.5, "y": 0.5}, {"c": "a"}):
        for place, body in (("suggestions", {}), ("queued_suggestions", {}), ("observations", {"value": 1})):
            assert service.refused("POST", f"{path}/{place}", {"assignments": given, **body})[0] == 400, (place, given)
    assert service.call("POST", f"{path}/suggestions", {"assignments": {"c": "a", "x": 0.5}})["assignments"] == {"c": "a", "x": 0.5}


def test_the_best_assignments_are_one_a_front_all_or_several_solutions(service: Running) -> None:
    def found(path: str) -> list[float]:
        return [one["assignments"]["x"] for one in service.call("GET", f"{path}/best_assignments")["data"]]

    one = core(service)
    assert found(one) == []
    for x, value in ((0.1, 1), (0.2, 3), (0.3, 2), (0.4, None)):
        observe(service, one, x, value)
    assert found(one) == [0.2]
    several = core(service, num_solutions=2)
    for number in range(40):
        observe(service, several, number / 39, -min((number / 39 - 0.1) ** 2, (number / 39 - 0.9) ** 2))
    low, high = sorted(found(several))
    assert low < 0.25 and high > 0.75
    metrics = [{"name": "m", "strategy": "constraint", "threshold": 2}, {"name": "s", "strategy": "store"}]
    search = core(service, metrics=metrics)
    for x, value in ((0.1, 1), (0.2, 3), (0.3, 2)):
        values = [{"name": "m", "value": value}, {"name": "s", "value": 0}]
        service.call("POST", f"{search}/observations", {"assignments": {"x": x}, "values": values})
    assert sorted(found(search)) == [0.2, 0.3]


def test_stopping_criteria_follow_the_observations(service: Running) -> None:
    path = core(service, observation_budget=11)
    said = []
    for number in range(12):
        observe(service, path, number / 12, 5 - number if number < 5 else 0)
        said.append(service.call("GET", f"{path}/stopping_criteria"))
    assert [one["should_stop"] for one in said] == [False] * 9 + [True] * 3
    assert said[9]["reasons"] == ["possible_stagnation"]
    assert set(said[11]["reasons"]) == {"possible_stagnation", "observation_budget_reached"}
    service.call("DELETE", f"{path}/observations")
    assert service.call("GET", f"{path}/stopping_criteria") == {"object": "stopping_criteria", "should_stop": False, "reasons": []}


def test_archiving_with_training_runs_leaves_nothing_pending(service: Running) -> None:
    experiment = service.experiment()
    open_run, ended = service.run(experiment), service.run(experiment)
    service.end(ended, 1.0)
    path = f"aiexperiments/{experiment['id']}"
    assert service.refused("DELETE", f"{path}?include_runs=perhaps")[0] == 400
    service.call("DELETE", path, {"include_runs": True})
    service.call("PUT", path, {"state": "active"})
    for name in ("suggestions", "observations"):
        assert service.call("GET", f"experiments/{experiment['id']}/{name}")["count"] == 0
    assert service.call("GET", path)["progress"]["remaining_budget"] == experiment["budget"]
    for run in (open_run, ended):
        assert service.call("PUT", f"training_runs/{run['id']}", {"deleted": False})["deleted"] is False
    assert service.call("GET", f"experiments/{experiment['id']}/suggestions", {"state": "open"})["count"] == 1
    assert service.call("GET", f"experiments/{experiment['id']}/observations")["count"] == 1


def test_experiments_are_listed_by_name_kind_state_and_last_change(service: Running) -> None:
    project = service.call("POST", "clients/1/projects", {"id": f"lists-{service.process.pid}", "name": "l"})["id"]
    place = f"clients/1/projects/{project}"
    body = {"parameters": [X], "metrics": [{"name": "m"}]}
    made = [service.call("POST", f"{place}/aiexperiments", {**body, "name": name})["id"] for name in ("Alpha one", "beta", "alpha two")]
    classic = service.call("POST", f"{place}/experiments", {**body, "name": "alpha core"})["id"]

    def listed(path: str, **query: Any) -> list[str]:
        return [one["id"] for one in service.call("GET", f"{place}/{path}", query)["data"]]

    assert listed("aiexperiments") == made[::-1]
    assert listed("aiexperiments", search="ALPHA") == [made[2], made[0]]
    assert listed("experiments") == [classic]
    assert listed("experiments", include_ai=True, search="alpha") == [classic, made[2], made[0]]
    service.call("DELETE", f"aiexperiments/{made[1]}")
    assert listed("aiexperiments", state="deleted") == [made[1]]
    assert listed("aiexperiments", state="all") == made[::-1]
    first = service.call("GET", f"{place}/aiexperiments", {"sort": "recent", "state": "all", "limit": 2})
    rest = service.call("GET", f"{place}/aiexperiments", {"sort": "recent", "state": "all", "limit": 2, "before": first["paging"]["before"]})
    updated = [one["updated"] for one in (*first["data"], *rest["data"])]
    assert updated == sorted(updated, reverse=True) and rest["paging"]["before"] is None
    assert {one["id"] for one in (*first["data"], *rest["data"])} == set(made)
    for query in ("sort=nonsense", "state=nonsense"):
        assert service.refused("GET", f"{place}/aiexperiments?{query}")[0] == 400


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"assignments_meta": {"x": {"source": "SigOpt"}}, "assignments": {"x": 1}}, "reserved"),
        ({"assignments_meta": {"z": {"source": "me"}}}, "z, which are no assignments"),
        ({"assignments_meta": {"x": {"source": "s" * 31}}, "assignments": {"x": 1}}, "less than or equal to 30"),
        ({"assignments_sources": {"s" * 31: {"sort": 1, "default_show": True}}}, "less than or equal to 30"),
        ({"sys_metadata": {"feature_importances": {"type": "gain", "scores": {str(n): n for n in range(51)}}}}, "at most 50"),
        ({"metadata": {str(n): n for n in range(100)}}, "at most 100"),
        ({"deleted": "no"}, "expected type boolean"),
        ({"favorite": 1}, "expected type boolean"),
        ({"datasets": {"d": 1}}, "expected type object"),
        ({"model": {"type": 3}}, "expected type string"),
        ({"source_code": {"content": ["a"]}}, "expected type string"),
    ],
)
def test_what_a_training_run_cannot_say_is_refused(service: Running, body: dict, expected: str) -> None:
    run = service.call("POST", "clients/1/projects/default/training_runs", {"name": "r", "metadata": {"mine": 1}})
    status, message = service.refused("MERGE", f"training_runs/{run['id']}", body)
    assert status == 400 and expected in message
    allowed = {"assignments": {"x": 1}, "assignments_meta": {"x": {"source": "me"}}, "assignments_sources": {"me": {"sort": 2, "default_show": True}}}
    service.call("MERGE", f"training_runs/{run['id']}", allowed)
    assert service.call("GET", f"training_runs/{run['id']}")["assignments_meta"] == {"x": {"source": "me"}}


def test_everything_that_was_answered_can_be_sent_back(service: Running) -> None:
    path = core(service, project="default", metadata={"a": 1}, parallel_bandwidth=2)
    answered = service.call("GET", path)
    not_said = ("id", "client", "created", "updated", "user")
    again = service.call("PUT", path, {key: value for key, value in answered.items() if key not in not_said})
    assert {**again, "updated": 0} == {**answered, "updated": 0}
    assert service.refused("PUT", path, {"project": "another"})[0] == 400


def test_single_objects_are_read_by_their_id(service: Running) -> None:
    assert service.call("GET", f"tokens/{service.token}")["client"] == "1"
    assert service.refused("GET", "tokens/another")[0] == 404
    assert service.call("GET", "organizations/1")["id"] == "1"
    assert service.refused("GET", "organizations/2")[0] == 404
    run, other = service.run(service.experiment()), service.run(service.experiment())
    made = service.call("POST", f"training_runs/{run['id']}/checkpoints", {"values": [{"name": "loss", "value": 2}], "metadata": {"epoch": 1}})
    assert service.call("GET", f"training_runs/{run['id']}/checkpoints/{made['id']}") == made
    assert service.refused("GET", f"training_runs/{other['id']}/checkpoints/{made['id']}")[0] == 404
