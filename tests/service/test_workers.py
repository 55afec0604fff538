"""Workers of an experiment: leases that expire, are taken over, and fence what their former holders write."""

import threading

import pytest

from tests.service.conftest import Running
from trialflow.metadata_keys import MAX_COST, NODE_USE, REASON, STOPPED_BY_USER

HOLDER = {"host": "here", "pid": 1}


def claim(service: Running, experiment: str, token: str, **more) -> dict:
    return service.call("POST", f"aiexperiments/{experiment}/workers", {"token": token * 16, "holder": HOLDER, **more})


def header(worker: dict, token: str) -> dict[str, str]:
    return {"X-Trialflow-Worker": f"{worker['id']}.{token * 16}"}


def as_worker(service: Running, worker: dict, token: str, method: str, path: str, body: dict | None = None):
    return service.raw(method, path, json=body or {}, headers=header(worker, token))


def test_one_exclusive_worker_at_a_time(service: Running) -> None:
    experiment = service.experiment()["id"]
    first = claim(service, experiment, "a")
    assert claim(service, experiment, "a")["id"] == first["id"], "an answer that was lost is asked for again"
    status, message = service.refused("POST", f"aiexperiments/{experiment}/workers", {"token": "b" * 16, "holder": HOLDER})
    assert status == 409 and "worked on" in message
    listed = service.call("GET", f"aiexperiments/{experiment}/workers")["data"]
    assert [(one["id"], one["holder"], one["exclusive"], one["active_run_count"]) for one in listed] == [(first["id"], HOLDER, True, 0)]
    assert not any("token" in one for one in listed)
    joined = claim(service, experiment, "c", exclusive=False)
    assert as_worker(service, first, "a", "DELETE", f"aiexperiments/{experiment}/workers/{first['id']}").status_code == 200
    assert service.refused("POST", f"aiexperiments/{experiment}/workers", {"token": "d" * 16, "holder": HOLDER})[0] == 409
    assert as_worker(service, joined, "c", "DELETE", f"aiexperiments/{experiment}/workers/{joined['id']}").status_code == 200
    assert claim(service, experiment, "d")["exclusive"]


def test_nothing_that_a_replaced_worker_writes_is_accepted(service: Running) -> None:
    experiment = service.experiment()["id"]
    old = claim(service, experiment, "a")
    run = as_worker(service, old, "a", "POST", f"aiexperiments/{experiment}/training_runs", {"name": "run-1"}).json()
    new = claim(service, experiment, "b", replaces=[old["id"]])
    adopted = as_worker(service, new, "b", "POST", f"aiexperiments/{experiment}/workers/{new['id']}/adopt", {"training_runs": [run["id"]]}).json()
    assert adopted == {"training_runs": [run["id"]]}
    for method, path, body in (
        ("MERGE", f"training_runs/{run['id']}", {"state": "failed"}),
        ("POST", f"training_runs/{run['id']}/checkpoints", {"values": [{"name": "y", "value": 1}]}),
        ("POST", f"aiexperiments/{experiment}/training_runs", {"name": "run-2"}),
        ("PUT", f"aiexperiments/{experiment}", {"metadata": {"a": "b"}}),
        ("PUT", f"aiexperiments/{experiment}/workers/{old['id']}", {}),
    ):
        assert as_worker(service, old, "a", method, path, body).status_code == 412, path
    assert service.call("GET", f"training_runs/{run['id']}")["state"] == "active"
    assert service.call("GET", f"aiexperiments/{experiment}")["progress"]["total_run_count"] == 1


def test_a_worker_is_known_by_its_token(service: Running) -> None:
    experiment, other = service.experiment()["id"], service.experiment()["id"]
    worker = claim(service, experiment, "a")
    path = f"aiexperiments/{experiment}/workers/{worker['id']}"
    assert as_worker(service, worker, "b", "PUT", path).status_code == 412
    assert service.refused("PUT", path)[0] == 403
    assert as_worker(service, worker, "a", "PUT", f"aiexperiments/{other}/workers/{worker['id']}").status_code == 412
    assert as_worker(service, worker, "a", "PUT", path, {"seconds": 5}).json()["seconds_left"] <= 5


def test_a_worker_that_is_asked_to_stop_learns_it_when_it_renews(service: Running) -> None:
    experiment = service.experiment()["id"]
    worker = claim(service, experiment, "a")
    path = f"aiexperiments/{experiment}/workers/{worker['id']}"
    assert as_worker(service, worker, "a", "PUT", path).json()["stop"] is False
    service.call("POST", f"{path}/stop")
    assert as_worker(service, worker, "a", "PUT", path).json()["stop"] is True


def test_a_worker_learns_which_of_its_training_runs_the_user_has_stopped(service: Running) -> None:
    experiment = service.experiment(budget=5)["id"]
    first, second = claim(service, experiment, "a", exclusive=False), claim(service, experiment, "b", exclusive=False)
    runs = f"aiexperiments/{experiment}/training_runs"
    stopped, failed, other = (
        as_worker(service, worker, token, "POST", runs, {"name": f"run-{name}"}).json()["id"]
        for worker, token, name in ((first, "a", "1"), (first, "a", "2"), (second, "b", "3"))
    )

    def renewed(worker: dict, token: str) -> list[str]:
        return as_worker(service, worker, token, "PUT", f"aiexperiments/{experiment}/workers/{worker['id']}").json()["stopped_runs"]

    assert renewed(first, "a") == []
    for identifier, body in ((stopped, {"dev_metadata": {REASON: STOPPED_BY_USER}}), (failed, {}), (other, {})):
        service.call("MERGE", f"training_runs/{identifier}", {"state": "failed", **body})
    assert renewed(first, "a") == [stopped] and renewed(second, "b") == []
    assert renewed(first, "a") == [stopped], "an answer that was lost is given again"


def test_living_workers_keep_their_training_runs_and_those_of_others_are_adopted_once(service: Running) -> None:
    experiment = service.experiment(budget=5)["id"]
    first, second = claim(service, experiment, "a", exclusive=False), claim(service, experiment, "b", exclusive=False)
    by_first = as_worker(service, first, "a", "POST", f"aiexperiments/{experiment}/training_runs", {"name": "run-1"}).json()["id"]
    by_nobody = service.call("POST", f"aiexperiments/{experiment}/training_runs", {"name": "run-2"})["id"]

    def adopt(worker: dict, token: str) -> list[str]:
        body = {"training_runs": [by_first, by_nobody]}
        return as_worker(service, worker, token, "POST", f"aiexperiments/{experiment}/workers/{worker['id']}/adopt", body).json()["training_runs"]

    assert adopt(second, "b") == [by_nobody]
    assert adopt(first, "a") == [by_first]
    as_worker(service, first, "a", "DELETE", f"aiexperiments/{experiment}/workers/{first['id']}")
    assert adopt(second, "b") == [by_first, by_nobody]


def test_workers_that_start_training_runs_at_once_share_one_budget(service: Running) -> None:
    experiment = service.experiment(budget=7)["id"]
    workers = {token: claim(service, experiment, token, exclusive=False) for token in "abcd"}
    answers: list[int] = []

    def work(token: str) -> None:
        for number in range(4):
            name = f"run-{token}{number}"
            answers.append(as_worker(service, workers[token], token, "POST", f"aiexperiments/{experiment}/training_runs", {"name": name}).status_code)

    threads = [threading.Thread(target=work, args=(token,)) for token in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] * 7 + [409] * 9
    assert service.call("GET", f"aiexperiments/{experiment}")["progress"]["total_run_count"] == 7


@pytest.mark.parametrize(
    "body",
    [
        {"holder": HOLDER},
        {"token": "short", "holder": HOLDER},
        {"token": "a" * 16, "holder": "me"},
        {"token": "a" * 16, "holder": {"host": "x" * 3000}},
        {"token": "a" * 16, "holder": HOLDER, "seconds": 0},
        {"token": "a" * 16, "holder": HOLDER, "seconds": 1e9},
        {"token": "a" * 16, "holder": HOLDER, "replaces": ["x"]},
        {"token": "a" * 16, "holder": HOLDER, "exclusive": 1},
        {"token": "a" * 16, "holder": HOLDER, "more": 1},
    ],
)
def test_a_claim_is_checked(service: Running, body: dict) -> None:
    assert service.refused("POST", f"aiexperiments/{service.experiment()['id']}/workers", body)[0] == 400


def test_what_all_workers_have_spent_together_is_held_against_max_cost_and_a_higher_one_goes_on(service: Running) -> None:
    experiment = service.experiment(budget=9, metadata={MAX_COST: 3})["id"]
    path = f"aiexperiments/{experiment}/training_runs"
    first, second = claim(service, experiment, "a", exclusive=False), claim(service, experiment, "b", exclusive=False)
    for worker, token, node in ((first, "a", "n1 2 0 3600"), (second, "b", "n1 2 1800 5400")):  # an hour and a half of a node for 2 dollars an hour
        run = as_worker(service, worker, token, "POST", path, {"name": f"run-{token}"}).json()
        as_worker(service, worker, token, "MERGE", f"training_runs/{run['id']}", {"state": "failed", "dev_metadata": {f"{NODE_USE}1": node}})
    refused = as_worker(service, second, "b", "POST", path, {"name": "run-c"})
    assert refused.status_code == 409 and "about $3.00" in refused.json()["message"] and "max_cost is 3" in refused.json()["message"]
    service.call("PUT", f"aiexperiments/{experiment}", {"metadata": {MAX_COST: 3.5}})
    assert as_worker(service, second, "b", "POST", path, {"name": "run-c"}).status_code == 200
