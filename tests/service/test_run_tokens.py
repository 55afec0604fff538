"""The token of a training run: what its model may do with it, that it is good for nothing else, and when it ends."""

import re

import pytest
from sigopt.exception import ApiException
from sigopt.request_driver import RequestDriver

from tests.service.conftest import Running
from trialflow.service.routes import ROUTES


class Model:
    """A training run of an experiment, and the token that its model was given."""

    def __init__(self, service: Running, attempt: int = 1, run: dict | None = None) -> None:
        self.service = service
        self.experiment = service.experiment() if run is None else {"id": run["experiment"]}
        self.run = run or service.run(self.experiment)
        self.id = self.run["id"]
        self.made = service.call("POST", f"training_runs/{self.id}/tokens", {"attempt": attempt})
        self.token = self.made["token"]

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        answer = self.service.raw(method, path, auth=(self.token, ""), json=body or {})
        return answer.status_code, answer.json() if answer.content else {}


def test_a_model_does_with_it_what_the_client_does_inside_a_model(service: Running) -> None:
    model = Model(service)
    assert model.made["training_run"] == model.id and model.made["experiment"] == model.experiment["id"] and not model.made["all_experiments"]
    own = f"training_runs/{model.id}"
    for method, path, body in (
        ("GET", "tokens/self", {}),
        ("GET", own, {}),
        ("MERGE", own, {"values": {"m": {"value": 1}}, "metadata": {"a": 1}, "assignments": {"x": 0.5}, "model": {"type": "t"}}),
        ("PUT", own, {"metadata": {"b": 2}}),
        ("POST", f"{own}/checkpoints", {"values": [{"name": "m", "value": 1}]}),
        ("GET", f"{own}/checkpoints", {}),
        ("GET", f"aiexperiments/{model.experiment['id']}", {}),
        ("GET", f"experiments/{model.experiment['id']}", {}),
        ("GET", f"aiexperiments/{model.experiment['id']}/best_training_runs", {}),
    ):
        status, answer = model.ask(method, path, body)
        assert status == 200, (method, path, answer)
    about = {"content_length": 1, "content_md5": "DMF1ucDxtqgxw5niaXcmYQ==", "content_type": "image/png", "name": "a"}
    status, made = model.ask("POST", f"{own}/files", about)
    assert status == 200 and model.ask("GET", f"files/{made['id']}")[0] == 200
    stored = service.call("GET", own)
    assert stored["values"]["m"]["value"] == 1 and stored["metadata"] == {"b": 2} and stored["checkpoint_count"] == 1
    driver = RequestDriver(client_token=model.token, api_url=service.url)
    driver.request("MERGE", ["training_runs", model.id], {"values": {"m": {"value": 2}}}, {"X-Response-Content": "skip"})
    assert service.call("GET", own)["values"]["m"]["value"] == 2


ALLOWED = {
    ("GET", "/tokens/self"),
    *((method, "/training_runs/{id}") for method in ("GET", "MERGE", "PUT")),
    *((method, "/training_runs/{id}/checkpoints") for method in ("GET", "POST")),
    ("GET", "/training_runs/{id}/checkpoints/{checkpoint}"),
    ("POST", "/training_runs/{id}/files"),
    ("GET", "/files/{id}"),
}


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _ in ROUTES}))
def test_every_route_refuses_it_in_one_sentence_but_for_its_own(service: Running, method: str, path: str) -> None:
    """With the ids of its own training run and experiment where only those are refused that are not listed; with another's everywhere."""
    model, other = Model(service), Model(service)
    reads_experiment = method == "GET" and path.startswith(("/experiments/{", "/aiexperiments/{")) and not path.endswith("/workers")

    def filled(one: Model) -> str:
        identifier = one.experiment["id"] if "experiments/{" in path else one.id
        first = re.sub(r"\{[a-z]+\}", identifier, path, count=1) if "{client}" not in path else path.replace("{client}", "1")
        return re.sub(r"\{[a-z]+\}", "1", first.replace("{project}", "default"))

    def refused(one: Model) -> bool:
        status, answer = model.ask(method, filled(one))
        assert status != 403 or re.fullmatch(r"[^.\n]+", answer["message"]), answer
        return status == 403

    assert refused(other) is ((method, path) != ("GET", "/tokens/self"))
    if not (reads_experiment or (method, path) in ALLOWED):
        assert refused(model)


@pytest.mark.parametrize(
    "body",
    [
        {"deleted": True},
        {"name": "another"},
        {"logs": {"stdout": {"content": "x"}}},
        {"dev_metadata": {"trialflow_attempt": "x"}},
        {"metadata": {"trialflow_uid": "wandb-key"}},
        {"favorite": True},
        {"tags": ["a"]},
        {"project": "default"},
    ],
)
@pytest.mark.parametrize("method", ["MERGE", "PUT"])
def test_it_says_nothing_that_is_not_a_models_to_say(service: Running, method: str, body: dict) -> None:
    model = Model(service)
    before = service.call("GET", f"training_runs/{model.id}")
    status, answer = model.ask(method, f"training_runs/{model.id}", body)
    assert status == 403 and "was dropped" in answer["message"]
    assert service.call("GET", f"training_runs/{model.id}") == before


def test_what_trialflow_keeps_survives_a_put_and_a_model_does_not_complete_itself(service: Running) -> None:
    model = Model(service)
    service.call("MERGE", f"training_runs/{model.id}", {"dev_metadata": {"trialflow_attempt": "2", "old": 1}})
    assert model.ask("PUT", f"training_runs/{model.id}", {"dev_metadata": {"new": 1}, "state": "completed"})[0] == 200
    stored = service.call("GET", f"training_runs/{model.id}")
    assert stored["dev_metadata"] == {"trialflow_attempt": "2", "new": 1} and stored["state"] == "active"


@pytest.mark.parametrize("end", [{"state": "completed"}, {"state": "failed"}, {"deleted": True}])
def test_it_ends_with_its_training_run(service: Running, end: dict) -> None:
    model = Model(service)
    service.call("MERGE", f"training_runs/{model.id}", end)
    for method, path in (("GET", f"training_runs/{model.id}"), ("MERGE", f"training_runs/{model.id}"), ("GET", "tokens/self")):
        status, answer = model.ask(method, path, {"values": {"m": {"value": 9}}} if method == "MERGE" else None)
        assert status == 403 and "and its token with it" in answer["message"], path
    assert "m" not in service.call("GET", f"training_runs/{model.id}")["values"]
    if "state" in end:
        service.call("MERGE", f"training_runs/{model.id}", {"state": "active"})
        assert model.ask("GET", f"training_runs/{model.id}")[0] == 403, "what has ended once stays ended"


def test_a_model_that_says_it_failed_has_said_its_last_word(service: Running) -> None:
    model = Model(service)
    assert model.ask("MERGE", f"training_runs/{model.id}", {"state": "failed"})[0] == 200
    assert model.ask("MERGE", f"training_runs/{model.id}", {"metadata": {"a": 1}})[0] == 403


def test_the_token_of_a_later_attempt_ends_those_before_and_that_of_the_same_does_not(service: Running) -> None:
    first = Model(service)
    again = Model(service, run=first.run)
    assert first.ask("GET", f"training_runs/{first.id}")[0] == again.ask("GET", f"training_runs/{first.id}")[0] == 200
    later = Model(service, attempt=2, run=first.run)
    assert [one.ask("GET", f"training_runs/{first.id}")[0] for one in (first, again, later)] == [403, 403, 200]


@pytest.mark.parametrize("form", ["run-{id}-{wrong}", "run-{id}-", "run-0-{secret}", "run--{secret}", "run-{other}-{secret}", "guest-{id}-{secret}"])
def test_guesses_are_refused(service: Running, form: str) -> None:
    model, other = Model(service), Model(service)
    secret = model.token.split("-", 2)[2]
    guess = form.format(id=model.id, other=other.id, secret=secret, wrong="x" * len(secret))
    answer = service.raw("GET", f"training_runs/{model.id}", auth=(guess, ""))
    assert answer.status_code == 403 and answer.json()["message"] == "This service does not know this token"


def test_the_files_of_a_model_have_a_limit_together(service: Running) -> None:
    model = Model(service)
    about = {"content_length": 30 << 20, "content_md5": "DMF1ucDxtqgxw5niaXcmYQ==", "content_type": "image/png", "name": "a"}
    statuses = [model.ask("POST", f"training_runs/{model.id}/files", about)[0] for _ in range(3)]
    assert statuses == [200, 200, 403]


def test_the_home_has_no_token_of_a_model(service: Running) -> None:
    model = Model(service)
    for path in service.home.rglob("*"):
        if path.is_file():
            assert model.token.split("-", 2)[2].encode() not in path.read_bytes(), path


def test_only_the_service_token_makes_one(service: Running) -> None:
    model = Model(service)
    driver = RequestDriver(client_token=model.token, api_url=service.url)
    with pytest.raises(ApiException) as refused:
        driver.request("POST", ["training_runs", model.id, "tokens"], {}, None)
    assert refused.value.status_code == 403
    assert service.refused("POST", "training_runs/999999/tokens")[0] == 404
    assert service.refused("POST", f"training_runs/{model.id}/tokens", {"attempt": 0})[0] == 400
