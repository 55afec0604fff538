"""A flow stops in order, once, however its end is asked for: SIGTERM, a cancellation or a suspension in Prefect, where no runner watches over it too.

A flow that is suspended leaves its training runs running; the same flow run adopts them when it is resumed.

Prefect answers SIGTERM by raising an exception in whatever the event loop does at that moment, and so cancels everything at once, what would clean up
included. Here it cancels the flow alone.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause, PrefectException
from prefect.runtime import flow_run

LOOK_SECONDS = 5.0
"""How often Prefect is asked. The alternative is a second connection that stays open."""
interrupt: ContextVar[Callable[[], None] | None] = ContextVar("interrupt", default=None)
"""What whoever calls a flow in this process does to end it, if it is more than to cancel it."""


suspended: ContextVar[list[State]] = ContextVar("suspended")
"""The state in which Prefect suspended the flow run of this context, once it has."""


def is_suspended() -> bool:
    """Whether this flow has been asked to leave, with its training runs running."""
    return bool(suspended.get([]))


@asynccontextmanager
async def stopping_in_order(seconds: float = LOOK_SECONDS) -> AsyncIterator[Callable[[], None]]:
    """Cancel what runs inside when its end is asked for, by calling what this gives too. A Prefect server that does not answer is asked again."""
    inside = asyncio.current_task()
    assert inside is not None
    cancel = interrupt.get() or inside.cancel
    is_asked = False

    def stop() -> None:
        nonlocal is_asked
        if not is_asked and not inside.cancelling():
            is_asked = True
            cancel()

    states: list[State] = []
    token = suspended.set(states)

    def suspend(state: State) -> None:
        states.append(state)
        stop()

    watching = asyncio.create_task(_watch(UUID(str(flow_run.id)), stop, suspend, seconds), name="cancellation") if flow_run.id else None
    before = _handle_termination(stop)
    try:
        yield stop
    except asyncio.CancelledError:
        if not states:
            raise
        inside.uncancel()
        # Prefect leaves the flow run suspended, and this process ends.
        raise Pause(state=states[0]) from None
    finally:
        suspended.reset(token)
        is_asked = True
        if watching:
            watching.cancel()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _handle_termination(stop: Callable[[], None]) -> Any:
    """Have SIGTERM call `stop`. Returns the handler that was there; None where the loop takes no signals, being no main thread's."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    except (RuntimeError, ValueError, NotImplementedError):
        return None
    return before


async def _watch(identifier: UUID, stop: Callable[[], None], suspend: Callable[[State], None], seconds: float) -> None:
    async with get_client() as client:
        while True:
            await asyncio.sleep(seconds)
            try:
                state = (await client.read_flow_run(identifier)).state
            except (httpx.HTTPError, PrefectException):
                continue
            if state is not None and (state.is_cancelling() or state.is_cancelled()):
                stop()
                return
            # One that is paused, not suspended, is resumed in its process: there has to be one.
            if state is not None and state.is_paused() and state.state_details.pause_reschedule:
                suspend(state)
                return
