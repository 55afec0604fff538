"""How a flow run ends, whatever it did at that moment: with a state that says why, and not as crashed."""

import asyncio

import pytest
from prefect.exceptions import Pause
from prefect.states import Suspended

from flows.cancelling import stopping_in_order, suspended
from flows.ending import CANCELLED, errors_as_states
from trialflow.errors import TrialflowError


async def test_a_flow_that_is_cancelled_while_it_waits_ends_as_cancelled() -> None:
    """While it looks for its experiment, say, or waits for the end of other work on it."""
    waiting = asyncio.Event()

    @errors_as_states
    async def flow() -> None:
        async with stopping_in_order():
            waiting.set()
            await asyncio.Event().wait()

    work = asyncio.create_task(flow())
    await waiting.wait()
    work.cancel()
    state = await work
    assert state.is_cancelled() and state.message == CANCELLED


async def test_a_flow_that_is_told_to_stop_ends_as_cancelled_and_has_given_back_what_it_held() -> None:
    given_back = []

    @errors_as_states
    async def flow() -> None:
        try:
            async with stopping_in_order() as stop:
                stop()
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            given_back.append("the lease")

    async with asyncio.timeout(60):
        assert (await asyncio.create_task(flow())).is_cancelled()
    assert given_back == ["the lease"]


async def test_a_flow_that_is_suspended_while_it_waits_stays_suspended() -> None:
    @errors_as_states
    async def flow() -> None:
        async with stopping_in_order() as stop:
            suspended.get().append(Suspended())
            stop()
            await asyncio.Event().wait()

    with pytest.raises(Pause):
        await asyncio.create_task(flow())


async def test_an_error_for_people_is_the_message_with_what_to_do() -> None:
    @errors_as_states
    async def flow() -> None:
        raise TrialflowError("the disk is full", hint="make room")

    state = await flow()
    assert state.is_failed() and state.message == "the disk is full\nhint: make room"
