"""`parallel_bandwidth` slots: one that frees up starts the next training run at once. No batches, no barrier."""

import asyncio
from collections.abc import Awaitable, Callable


async def keep_full(start_next: Callable[[], Awaitable[None] | None], running: list[Awaitable[None]]) -> None:
    """Run what `start_next` gives, beside `running`, until it gives None and everything has ended.

    `start_next` is asked until it gives None, at the beginning and whenever something ends. The first exception of any of them ends the
    others (they are cancelled and awaited) and is raised, as is cancellation from outside.
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
    finally:
        for one in in_flight:
            one.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
