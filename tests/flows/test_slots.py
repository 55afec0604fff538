"""`parallel_bandwidth` slots, refilled at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flows.slots import keep_full


class Work:
    """Jobs that end when told to, with at most `width` at once."""

    def __init__(self, count: int, width: int) -> None:
        self.left, self.width = count, width
        self.gates: dict[int, asyncio.Event] = {}
        self.active: set[int] = set()
        self.cancelled: set[int] = set()

    def start_next(self) -> Awaitable[None] | None:
        if not self.left or len(self.active) >= self.width:
            return None
        self.left -= 1
        number = len(self.gates)
        self.gates[number] = asyncio.Event()
        self.active.add(number)
        return self.job(number)

    async def job(self, number: int) -> None:
        try:
            await self.gates[number].wait()
        except asyncio.CancelledError:
            self.cancelled.add(number)
            raise
        finally:
            self.active.discard(number)


async def until(fact: Callable[[], bool]) -> None:
    for _ in range(100):
        if fact():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def test_a_slot_that_frees_up_is_filled_while_the_others_still_run() -> None:
    work = Work(5, 3)
    loop = asyncio.ensure_future(keep_full(work.start_next, []))
    await until(lambda: work.active == {0, 1, 2})
    work.gates[1].set()
    await until(lambda: work.active == {0, 2, 3})
    for number in (0, 2, 3):
        work.gates[number].set()
    await until(lambda: 4 in work.gates)
    work.gates[4].set()
    await loop


async def test_what_runs_already_is_waited_for() -> None:
    ended = []

    async def adopted() -> None:
        await asyncio.sleep(0)
        ended.append(1)

    await keep_full(lambda: None, [adopted()])
    assert ended == [1]


async def test_one_that_raises_ends_the_others_and_is_raised() -> None:
    work = Work(2, 2)

    async def breaks() -> None:
        await until(lambda: len(work.active) == 2)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await keep_full(work.start_next, [breaks()])
    assert work.cancelled == {0, 1}


async def test_cancelling_it_cancels_all_and_waits_for_them() -> None:
    work = Work(3, 3)
    loop = asyncio.ensure_future(keep_full(work.start_next, []))
    await until(lambda: len(work.active) == 3)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert work.cancelled == {0, 1, 2}
