"""Which task runs are ghosts, and which cancellations are stuck."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun

from flows.janitor import ghosts_of, is_stuck

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=5)


def task_run(flow_run: object, kind: StateType) -> TaskRun:
    return TaskRun(id=uuid4(), flow_run_id=flow_run, task_key="t", dynamic_key="1", state=State(type=kind))


def test_only_open_task_runs_of_ended_flow_runs_are_ghosts() -> None:
    ended, running = uuid4(), uuid4()
    ghosts = [task_run(ended, StateType.RUNNING), task_run(ended, StateType.PENDING)]
    others = [task_run(ended, StateType.COMPLETED), task_run(running, StateType.RUNNING), task_run(None, StateType.RUNNING)]
    assert ghosts_of([*others, *ghosts], {ended}) == ghosts


@pytest.mark.parametrize(
    ("kind", "age", "stuck"),
    [(StateType.CANCELLING, 6, True), (StateType.CANCELLING, 4, False), (StateType.RUNNING, 600, False), (StateType.CANCELLED, 600, False)],
)
def test_a_cancellation_is_stuck_after_its_grace(kind: StateType, age: int, stuck: bool) -> None:
    run = FlowRun(id=uuid4(), flow_id=uuid4(), state=State(type=kind, timestamp=NOW - timedelta(minutes=age)))
    assert is_stuck(run, GRACE, NOW) is stuck
