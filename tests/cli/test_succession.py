"""Which flow run goes on with an experiment, which was started last, and what of it has been told: decisions without a server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Crashed, Failed, Running, Scheduled

from deployments.automations import PARAMETERS
from trialflow.cli.following import Snapshot
from trialflow.cli.latest import project_of
from trialflow.cli.succession import SAME, SUCCESSOR_SECONDS, goes_on_with, seconds_left
from trialflow.events import Event

CRASH = datetime(2026, 1, 1, tzinfo=UTC)
WORK = {"experiment": {"name": "e"}, "run": {"run": "true"}, "project": "p", "directory": "/m"}
FLOW = uuid4()


def flow_run(state: Any, *, after: float, identifier: UUID | None = None, **fields: Any) -> FlowRun:
    fields = {"parameters": WORK, **fields}
    return FlowRun(id=identifier or uuid4(), flow_id=FLOW, state=state, created=CRASH + timedelta(seconds=after), **fields)


CRASHED = flow_run(Crashed(timestamp=CRASH), after=-100, tags=["experiment:12"])
REPEATED = {name: WORK.get(name) for name in PARAMETERS} | {"options": {"new": False}}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (flow_run(Scheduled(), after=1, parameters=REPEATED), True),  # as the automation triggers it
        (flow_run(Running(), after=1, parameters=REPEATED, tags=["experiment:12"]), True),
        (flow_run(Running(), after=1, parameters=REPEATED, tags=["experiment:13"]), False),  # the same files, begun anew
        (flow_run(Scheduled(), after=1, parameters={**REPEATED, "directory": "/other"}), False),
        (flow_run(Running(), after=-150, parameters=REPEATED), False),  # had begun before
        (flow_run(Scheduled(), after=-5, parameters=REPEATED), True),  # a worker says again what an automation has found
        (flow_run(Failed(timestamp=CRASH - timedelta(seconds=40)), after=-50, parameters=REPEATED), False),  # gave up, as the other was at work
        (flow_run(Scheduled(), after=1, parameters=REPEATED, auto_scheduled=True), False),  # the next run of a schedule
        (flow_run(AwaitingRetry(), after=-100, identifier=CRASHED.id), True),  # taken up by a worker, or retried
        (CRASHED, False),
    ],
)
def test_an_experiment_goes_on_with_what_was_triggered_for_it_after_the_crash(other: FlowRun, expected: bool) -> None:
    assert goes_on_with(CRASHED, other) is expected


def test_what_makes_it_the_same_work_is_repeated_by_the_automation() -> None:
    assert set(SAME) <= set(PARAMETERS)


@pytest.mark.parametrize(("ago", "left"), [(0, SUCCESSOR_SECONDS), (SUCCESSOR_SECONDS - 1, 1), (86400, 0), (-30, SUCCESSOR_SECONDS)])
def test_nobody_waits_for_what_should_have_come_long_ago(ago: float, left: float) -> None:
    assert seconds_left(CRASH, CRASH + timedelta(seconds=ago)) == left


@pytest.mark.parametrize(
    ("event", "after", "known"),
    [
        (Event("completed", {"id": "1"}), -5, True),
        (Event("completed", {"id": "1"}), 5, True),
        (Event("completed", {"id": "2"}), -5, False),  # the service learned of it later than this was read, or clocks differ
        (Event("launched", {"id": "1"}), 5, True),
        (Event("launched", {"id": "2"}), -5, True),
        (Event("launched", {"id": "2"}), 5, False),
        (Event("waiting"), -5, True),
        (Event("waiting"), 5, False),
        (Event("ended"), -5, False),
        (Event("experiment"), 5, True),
    ],
)
def test_what_has_been_shown_is_not_told_again(event: Event, after: float, known: bool) -> None:
    assert Snapshot(frozenset({"1"}), CRASH).has(event, CRASH + timedelta(seconds=after)) is known


@pytest.mark.parametrize(
    ("parameters", "project"),
    [({"project": "p", "directory": "/x/Model"}, "p"), ({"directory": "/x/My Model"}, "mymodel"), ({"project": None}, None)],
)
def test_the_project_of_a_flow_run_is_in_its_parameters(parameters: dict[str, Any], project: str | None) -> None:
    assert project_of(parameters) == project
