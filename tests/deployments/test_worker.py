"""A worker that is stopped: it asks the flow runs that are at work to end, and waits until they have."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import anyio
import psutil

from deployments.worker import end_flow_runs, worker_of

IN_ORDER = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(7))); print(flush=True); time.sleep(600)"


async def test_a_flow_run_at_work_is_asked_to_end_and_waited_for_and_so_is_one_that_is_only_starting() -> None:
    limiter, children = anyio.CapacityLimiter(10), list[psutil.Process]()
    worker: Any = SimpleNamespace(is_setup=True, limiter=limiter)
    working: Any = asyncio.create_task(asyncio.sleep(600))

    async def work(begin: asyncio.Event) -> int:
        async with limiter:
            await begin.wait()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", IN_ORDER, stdout=asyncio.subprocess.PIPE)
            assert process.stdout is not None
            await process.stdout.readline()
            children.append(psutil.Process(process.pid))
            return await process.wait()

    begin = [asyncio.Event(), asyncio.Event()]
    first, second = (asyncio.create_task(work(one)) for one in begin)
    begin[0].set()
    while not children:
        await asyncio.sleep(0.01)
    ending = asyncio.create_task(end_flow_runs(worker, working, lambda: [one for one in children if one.is_running()]))
    assert await first == 7 and not ending.done()
    begin[1].set()
    await ending
    assert limiter.borrowed_tokens == 0 and await second == 7
    working.cancel()


async def test_a_worker_that_is_not_set_up_has_nothing_to_end() -> None:
    working: Any = asyncio.create_task(asyncio.sleep(600))
    await asyncio.wait_for(end_flow_runs(worker_of("here"), working, list), 60)
    working.cancel()
