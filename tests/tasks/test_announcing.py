"""What happens in a flow arrives elsewhere as it was, as Prefect events that anybody may have sent."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tasks.experiments.announcing import FAILED, IMPROVED, NAMES, announced, event_of, payload_of
from trialflow.errors import ExperimentFailed
from trialflow.events import Event, tell, watcher

EXPERIMENT = {
    "id": "7", "name": "e", "budget": 3, "metrics": [{"name": "y"}], "progress": {"finished_run_count": 0}, "metadata": {}, "project": "p",
}  # fmt: skip
RUN = {"id": "9", "name": "run-9", "assignments": {"x": 1}, "experiment": "7", "state": "active", "values": {}}


class Sent:
    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, str], Mapping[str, Any]]] = []

    def __call__(self, name: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> None:
        self.events.append((name, resource, json.loads(json.dumps(payload))))

    @property
    def names(self) -> list[str]:
        return [name.removeprefix("trialflow.") for name, _, _ in self.events]


def done(number: int, value: float) -> Event:
    return Event("completed", {**RUN, "id": str(number)}, None, {"values": {"y": {"value": value}}})


@pytest.mark.parametrize(
    "event",
    [
        Event("experiment", facts={"experiment": EXPERIMENT, "resumed": "create", "best": []}),
        Event("launched", {name: RUN[name] for name in ("id", "name", "assignments", "experiment")}),
        Event("failed", {name: RUN[name] for name in ("id", "name", "assignments", "experiment")}, "exit code 1", {"values": {}}),
        Event("waiting", text="the service is away"),
        Event("warning", text="MLflow does not answer"),
        Event("ended", facts={"summary": {"experiment": "7", "best": []}, "resumed": "resume"}),
        Event("verdict", text="The champion is better.", facts={"verdict": {"better": "champion"}, "run_file": "/home/winners/e.yml"}),
    ],
    ids=lambda event: event.kind,
)
def test_an_event_arrives_as_it_was(event: Event) -> None:
    assert event_of(NAMES[event.kind], json.loads(json.dumps(payload_of(event)))) == event


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("prefect.flow-run.Completed", {}),
        ("trialflow.training-run.completed", {"run": "no object"}),
        ("trialflow.training-run.completed", {"run": {}}),
        ("trialflow.experiment.started", {}),
        ("trialflow.experiment.finished", {"facts": {}}),
        ("trialflow.experiment.waiting", {"facts": "no object"}),
    ],
)
def test_what_is_no_event_of_ours_is_none(name: str, payload: dict[str, Any]) -> None:
    assert event_of(name, payload) is None


def test_a_new_best_is_told_once_for_each_improvement() -> None:
    sent = Sent()
    with announced("f", sent):
        tell(Event("experiment", facts={"experiment": EXPERIMENT, "resumed": "create", "best": []}))
        for number, value in enumerate([0.5, 0.3, 0.9], 1):
            tell(done(number, value))
    assert [payload["run"]["id"] for name, _, payload in sent.events if name == IMPROVED] == ["1", "3"]
    assert {resource["prefect.resource.id"] for name, resource, _ in sent.events if name == IMPROVED} == {"trialflow.experiment.7"}


def test_a_resumed_experiment_improves_only_on_what_it_had() -> None:
    sent = Sent()
    with announced("f", sent):
        tell(Event("experiment", facts={"experiment": EXPERIMENT, "resumed": "resume", "best": [{**RUN, "values": {"y": {"value": 0.8}}}]}))
        tell(done(2, 0.5))
    assert IMPROVED not in [name for name, _, _ in sent.events]


def test_the_error_that_a_flow_ends_with_is_told_with_its_exit_code() -> None:
    sent = Sent()
    with pytest.raises(ExperimentFailed), announced("f", sent):
        raise ExperimentFailed("five in a row", hint="fix the model")
    ((name, resource, payload),) = sent.events
    assert name == FAILED and resource["prefect.resource.id"] == "prefect.flow-run.f"
    assert payload == {"message": "five in a row", "hint": "fix the model", "exit_code": 3}


def test_whoever_watches_in_the_same_process_still_does() -> None:
    seen: list[str] = []
    token = watcher.set(lambda event: seen.append(event.kind))
    try:
        with announced("f", Sent()):
            tell(Event("waiting", text="x"))
        tell(Event("waiting", text="y"))
    finally:
        watcher.reset(token)
    assert seen == ["waiting", "waiting"]
