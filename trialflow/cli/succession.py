"""Wait for the flow run that goes on with an experiment when its flow run has crashed.

Either an automation triggers the deployment again, a moment after the crash and with the same parameters; or a worker does so later, if none has; or
the same flow run begins once more, because a worker that starts takes it up, or somebody retries it.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from flows.crashes import crash_of, find_successor
from trialflow.cli.following import PAUSE_SECONDS

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

SUCCESSOR_SECONDS = 240.0
"""How long after a crash another flow run is waited for. The automation makes one at once, a worker after two minutes or three."""
BEGUN = ("Scheduled", "AwaitingRetry", "Pending", "Running")


def seconds_left(crash: datetime, now: datetime) -> float:
    """How long another flow run may still be waited for: not at all if the crash is an old story. Pure."""
    return min(SUCCESSOR_SECONDS, max(0.0, SUCCESSOR_SECONDS - (now - crash).total_seconds()))


async def successor(client: "PrefectClient", flow_run_id: UUID) -> "FlowRun | None":
    """The flow run that goes on with the experiment of this one, as soon as there is one; None if none comes in time."""
    crashed = await client.read_flow_run(flow_run_id)
    if crashed.state is None or not crashed.state.is_crashed():
        return crashed
    if not (seconds := seconds_left(crash_of(crashed), datetime.now(UTC))):
        return await find_successor(client, crashed)
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
        if found := await find_successor(client, crashed):
            return found
        async for _ in subscriber:
            if found := await find_successor(client, crashed):
                return found
    raise ConnectionError("it closed the connection")
