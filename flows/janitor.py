"""The flow `janitor`: close in Prefect what killed processes left open, and have experiments go on that crashed and were forgotten."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.states import Cancelled, Crashed
from pydantic import Field

from flows.crashes import resume_forgotten
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.steps import run_logger

OPEN = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
PAGE = 200
MOST_PAGES = 50


@flow(name="janitor", flow_run_name="janitor", persist_result=False)
@errors_as_states
async def janitor(grace_minutes: Annotated[int, Field(ge=1, le=1440)] = 5) -> dict[str, int]:
    """Close task runs of flow runs that have ended, and cancellations that never came to an end. Trigger crashed experiments again.

    An experiment goes on by an automation when its flow run has crashed; this is for those that the automation missed.

    Args:
        grace_minutes: How long a cancellation may take. Models get seconds to end, so after minutes nobody is at work on it.
    """
    async with get_client() as client:
        resumed = await resume_forgotten(client, datetime.now(UTC))
        for sentence in resumed:
            run_logger().warning("%s", sentence)
        closed = await end_stuck_cancellations(client, timedelta(minutes=grace_minutes), datetime.now(UTC))
        ghosts = await close_ghosts(client)
    run_logger().info("closed %s cancellations and %s task runs", closed, ghosts)
    return {"cancellations": closed, "task_runs": ghosts, "experiments": len(resumed)}


async def end_stuck_cancellations(client: PrefectClient, grace: timedelta, now: datetime) -> int:
    """Call flow runs cancelled that have been cancelling for longer than `grace`. Returns how many."""
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])))
    found = await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE)
    stuck = [one for one in found if is_stuck(one, grace, now)]
    for one in stuck:
        state = Cancelled(message="its process ended before it could say so; the same experiment again goes on")
        await client.set_flow_run_state(one.id, state, force=True)
    return len(stuck)


def is_stuck(run: FlowRun, grace: timedelta, now: datetime) -> bool:
    """Whether a cancellation has taken longer than it can."""
    return run.state is not None and run.state.is_cancelling() and now - run.state.timestamp > grace


async def close_ghosts(client: PrefectClient) -> int:
    """Call task runs crashed that are open although their flow run has ended. Returns how many."""
    closed, offset = 0, 0
    for _ in range(MOST_PAGES):
        wanted = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=OPEN)))
        found = await client.read_task_runs(task_run_filter=wanted, limit=PAGE, offset=offset)
        ghosts = ghosts_of(found, await ended_flow_runs(client, found))
        for one in ghosts:
            await client.set_task_run_state(one.id, Crashed(message="the process that executed it ended with its flow run"), force=True)
        closed += len(ghosts)
        offset += len(found) - len(ghosts)
        if len(found) < PAGE:
            break
    return closed


async def ended_flow_runs(client: PrefectClient, tasks: Iterable[TaskRun]) -> set[Any]:
    """Which of the flow runs that these task runs belong to have ended."""
    identifiers = sorted({one.flow_run_id for one in tasks if one.flow_run_id}, key=str)
    if not identifiers:
        return set()
    found = await client.read_flow_runs(flow_run_filter=FlowRunFilter(id={"any_": identifiers}), limit=PAGE)  # type: ignore[arg-type]
    return {one.id for one in found if one.state is not None and one.state.is_final()}


def ghosts_of(tasks: Iterable[TaskRun], ended: set[Any]) -> list[TaskRun]:
    """The task runs that cannot be at work: they are open, and their flow run has ended."""
    return [one for one in tasks if one.flow_run_id in ended and (one.state is None or not one.state.is_final())]
