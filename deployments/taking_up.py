"""Flow runs that were at work on this machine when everything on it ended: a power cut, a container that was replaced. The worker takes them up.

An automation finds them too, after 90 s without a sign of life (`automations.py`); here it is known at once, because none of their processes is left.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import psutil

from deployments.declared import OPTIMIZE, TAG

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

ENGINE = "prefect.engine"
FLOW_RUN_ID = "PREFECT__FLOW_RUN_ID"
PAGE = 200
Verdict = Literal["again", "cancelled", "crashed", "none"]


async def take_up(client: "PrefectClient", queue: str, *, is_only: bool) -> list[str]:
    """Have them go on, and say so in a sentence each. `is_only` says that no other machine works for this Prefect server.

    An experiment goes on in the same flow run. Other flows may not be repeatable, and are called crashed.
    """
    from prefect.states import AwaitingRetry, Cancelled, Crashed

    living = processes_here()
    told = []
    for run in await _at_work(client):
        if run.work_queue_name != queue and not is_only:
            continue
        flow = await client.read_flow(run.flow_id)
        state = run.state.type.value if run.state else ""
        decided = verdict(state, has_process=str(run.id) in living, is_experiment=flow.name == OPTIMIZE.name)
        if decided == "again":
            await client.set_flow_run_state(run.id, AwaitingRetry(message="its process is gone; it goes on"), force=True)
            told.append(f"flow run {run.name} goes on: its process was gone")
        elif decided == "cancelled":
            await client.set_flow_run_state(run.id, Cancelled(message="its process ended before it had cancelled"), force=True)
        elif decided == "crashed":
            await client.set_flow_run_state(run.id, Crashed(message="its process is gone"), force=True)
            told.append(f"flow run {run.name} has crashed: its process is gone")
    return told


def verdict(state: str, *, has_process: bool, is_experiment: bool) -> Verdict:
    """What becomes of a flow run in this state, by its type in Prefect."""
    if has_process or state not in ("RUNNING", "PENDING", "CANCELLING"):
        return "none"
    if state == "CANCELLING":
        return "cancelled"
    return "again" if is_experiment or state == "PENDING" else "crashed"


def processes_here(processes: Iterable[psutil.Process] | None = None) -> frozenset[str]:
    """The ids of the flow runs that processes of this user execute."""
    found = set()
    for process in psutil.process_iter() if processes is None else processes:
        try:
            if ENGINE in process.cmdline():
                found.add(process.environ().get(FLOW_RUN_ID, ""))
        except psutil.Error:
            continue
    return frozenset(found)


async def _at_work(client: "PrefectClient") -> "list[FlowRun]":
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
    from prefect.client.schemas.objects import StateType

    types = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG]), state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)))
    found: dict[UUID, FlowRun] = {}
    while page := await client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found |= {run.id: run for run in page}
        if len(page) < PAGE:
            break
    return list(found.values())
