"""`parallel_bandwidth` slots: one that frees up starts the next training run at once. No batches, no barrier."""

import asyncio
from collections.abc import Awaitable, Callable

END_SECONDS = 15.0
"""How long what runs may take to end by itself once it was asked to."""


async def keep_full(
    start_next: Callable[[], Awaitable[None] | None],
    running: list[Awaitable[None]],
    *,
    stop: Callable[[BaseException], Awaitable[bool]] | None = None,
    end_seconds: float = END_SECONDS,
) -> None:
    """Run what `start_next` gives, beside `running`, until it gives None and everything has ended.

    `start_next` is asked until it gives None, at the beginning and whenever something ends. The first exception of any of them, or cancellation from
    outside, is raised in the end. Before that `stop` is called with it: if it returns True, it has asked the others to end, and they have
    `end_seconds` to do so. What has not ended then is cancelled and awaited, at once if a second cancellation comes.
    """
    in_flight = {asyncio.ensure_future(one) for one in running}
    try:
        while True:
            while (one := start_next()) is not None:
                in_flight.add(asyncio.ensure_future(one))
            if not in_flight:
                return
            ended, in_flight = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            for one in ended:
                one.result()
    except BaseException as error:
        if stop is not None and await stop(error) and in_flight:
            await asyncio.wait(in_flight, timeout=end_seconds)
        raise
    finally:
        for one in in_flight:
            one.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
