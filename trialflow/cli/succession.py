"""Which flow run goes on with an experiment when its flow run has crashed.

Either an automation triggers the deployment again, a moment after the crash and with the same parameters, or the same flow run begins once more: a
worker that starts takes it up, or somebody retries it.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from trialflow.cli.following import PAUSE_SECONDS, experiment_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

SUCCESSOR_SECONDS = 120.0
"""How long after a crash another flow run is waited for. The automation makes one at once; a busy server hears of the crash late."""
SAME = ("experiment", "run", "project", "directory", "cluster")
"""The parameters that make it the same work."""
BEGUN = ("Scheduled", "AwaitingRetry", "Pending", "Running")
LIMIT = 200


def goes_on_with(crashed: "FlowRun", other: "FlowRun") -> bool:
    """Whether `other` goes on with the experiment of a flow run that has crashed. Pure."""
    if other.id == crashed.id:
        return other.state is not None and not other.state.is_crashed()
    if other.auto_scheduled or other.created is None or other.created < begin_of(crashed):
        return False
    if other.state is not None and other.state.is_final() and other.state.timestamp < crash_of(crashed):
        return False
    known, found = experiment_of(crashed), experiment_of(other)
    if known and found:
        return known == found
    return _work(crashed.parameters) == _work(other.parameters)


def crash_of(crashed: "FlowRun") -> datetime:
    """When it crashed, as it was said last: a worker may say it again of a flow run that an automation has called crashed before."""
    assert crashed.state is not None
    return crashed.state.timestamp


def begin_of(crashed: "FlowRun") -> datetime:
    """When it began, or was made."""
    return crashed.start_time or crashed.created or crash_of(crashed)


def seconds_left(crash: datetime, now: datetime) -> float:
    """How long another flow run may still be waited for: not at all if the crash is an old story. Pure."""
    return min(SUCCESSOR_SECONDS, max(0.0, SUCCESSOR_SECONDS - (now - crash).total_seconds()))


def _work(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: parameters[name] for name in SAME if parameters.get(name) is not None}


async def successor(client: "PrefectClient", flow_run_id: UUID) -> "FlowRun | None":
    """The flow run that goes on with the experiment of this one, as soon as there is one; None if none comes in time."""
    crashed = await client.read_flow_run(flow_run_id)
    if crashed.state is None or not crashed.state.is_crashed():
        return crashed
    if not (seconds := seconds_left(crash_of(crashed), datetime.now(UTC))):
        return await _look(client, crashed)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await _heard_of(client, crashed)
                except Exception:  # noqa: BLE001 - Prefect's client raises errors of many kinds when its server goes away
                    await asyncio.sleep(PAUSE_SECONDS)
    return None


async def _heard_of(client: "PrefectClient", crashed: "FlowRun") -> "FlowRun":
    from prefect.events.clients import get_events_subscriber
    from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

    wanted = EventFilter(  # type: ignore[call-arg]
        any_resource=EventAnyResourceFilter(id=[f"prefect.flow.{crashed.flow_id}"]),  # type: ignore[call-arg]
        event=EventNameFilter(name=[f"prefect.flow-run.{state}" for state in BEGUN]),  # type: ignore[call-arg]
    )
    async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as subscriber:
        if found := await _look(client, crashed):
            return found
        async for _ in subscriber:
            if found := await _look(client, crashed):
                return found
    raise ConnectionError("it closed the connection")


async def _look(client: "PrefectClient", crashed: "FlowRun") -> "FlowRun | None":
    from prefect.client.schemas.filters import FlowFilter, FlowFilterId, FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    now = await client.read_flow_run(crashed.id)
    if goes_on_with(crashed, now):
        return now
    since = FlowRunFilterExpectedStartTime(after_=begin_of(crashed))  # type: ignore[arg-type] - it takes a datetime
    found = await client.read_flow_runs(
        flow_filter=FlowFilter(id=FlowFilterId(any_=[crashed.flow_id])),
        flow_run_filter=FlowRunFilter(expected_start_time=since),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=LIMIT,
    )
    return next((one for one in found if goes_on_with(crashed, one)), None)
