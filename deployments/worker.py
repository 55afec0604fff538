"""`python -m deployments.worker QUEUE`: register the deployments at the Prefect server of PREFECT_API_URL, and execute what is triggered.

A worker of Prefect's own, in one process with the registration: one import of Prefect. It writes a line to TRIALFLOW_READY_FD once it is at work.
SIGTERM has it take nothing more, end the flow runs of this machine in order, which stop their models, and leave.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
from pydantic import SecretStr

from deployments.declared import POOL
from trialflow.home import Home
from trialflow.network import announce
from trialflow.packages import prefer_own_packages

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.workers.process import ProcessWorker

SERVICE_URL = "TRIALFLOW_UP_SERVICE_URL"
"""The variable with the address of the service that `trialflow up` holds, where Prefect's server is ours too: no other is told its token."""
END_SECONDS = 75.0
"""What flow runs may take to end in order."""
SERVER_SECONDS = 120.0
RESUMING_SECONDS = 60.0
MOST = 100_000
"""Flow runs at the same time: no limit, but Prefect's worker counts those at work only if it has one."""


def main(queue: str) -> int:
    """Work until SIGTERM. Exit code 1 if the server cannot be used."""
    prefer_own_packages()
    return asyncio.run(_main(queue))


async def _main(queue: str) -> int:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from deployments.automations import ensure_automations
    from deployments.registration import ensure_queue, register
    from deployments.taking_up import take_up

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with get_client() as client:
        if problem := await _trouble(client):
            print(f"the Prefect server at {PREFECT_API_URL.value()} cannot be used: {problem}", file=sys.stderr, flush=True)
            return 1
        await register(client)
        await ensure_automations(client)
        await ensure_queue(client, queue, POOL)
        for told in await take_up(client, queue, is_only=SERVICE_URL in os.environ):
            print(told, flush=True)
        if url := os.environ.get(SERVICE_URL):
            await keep_service(url)
    resuming = asyncio.create_task(keep_resuming(lambda told: print(told, flush=True)))
    await _work(queue, stopping, lambda: announce(str(PREFECT_API_URL.value())))
    resuming.cancel()
    return 0


async def keep_resuming(tell: Callable[[str], None]) -> None:
    """Look every minute for crashed experiments, until this is cancelled. A Prefect server that does not answer is asked again the next time."""
    from prefect.client.orchestration import get_client

    from flows.crashes import resume_forgotten

    while True:
        await asyncio.sleep(RESUMING_SECONDS)
        with contextlib.suppress(Exception):
            async with get_client() as client:
                for sentence in await resume_forgotten(client, datetime.now(UTC)):
                    tell(sentence)


async def keep_service(url: str) -> None:
    """Keep the service of this home as the block `trialflow-service/default`, for flows that are given a service by name."""
    from blocks import TrialflowService

    token = SecretStr(Home.from_environment().token())
    await TrialflowService(url=url, token=token).asave("default", overwrite=True)


async def _trouble(client: "PrefectClient") -> Exception | None:
    """Why the server cannot be used; None once it answers. One that is starting is waited for."""
    deadline = asyncio.get_running_loop().time() + SERVER_SECONDS
    while (problem := await client.api_healthcheck()) is not None and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.5)  # nothing tells when a server that does not answer will
    return problem


async def _work(queue: str, stopping: asyncio.Event, on_started: Any) -> None:
    worker = worker_of(queue)
    poll = worker.get_and_submit_flow_runs

    async def poll_until_stopped() -> list[Any]:
        return [] if stopping.is_set() else await poll()

    worker.get_and_submit_flow_runs = poll_until_stopped  # type: ignore[method-assign]
    working = asyncio.create_task(worker.start(printer=lambda *_: on_started()))
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        await end_flow_runs(worker, working, psutil.Process().children)
        working.cancel()
    asked.cancel()
    try:
        await working
    except asyncio.CancelledError:
        pass
    except Exception as error:  # noqa: BLE001 - a flow run that was ended while it started; without a signal it is the end of this process
        if not stopping.is_set():
            raise
        print(f"while it ended: {error}", file=sys.stderr)


def worker_of(queue: str) -> "ProcessWorker":
    """The worker of this machine, which has the queue `queue`."""
    return direct_worker()(work_pool_name=POOL, work_queues=["default", queue], name=f"trialflow {socket.gethostname()}", limit=MOST)


def direct_worker() -> "type[ProcessWorker]":
    """Prefect's process worker, which starts a flow run in one process instead of two: there is nothing to fetch or to install for ours."""
    from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

    home = Home.from_environment()
    log = home.make(home.logs) / "flow-runs.log"
    engine = shlex.join([sys.executable, "-m", "prefect.engine"])

    class Configuration(ProcessJobConfiguration):
        """A command that is given makes the difference. What it prints goes to a file: a pipe would break with this process, and the flow with it."""

        def prepare_for_flow_run(self, *arguments: Any, **options: Any) -> None:
            """See Prefect's own."""
            self.command = self.command or shlex.join(["sh", "-c", f"exec {engine} >>{shlex.quote(str(log))} 2>&1"])
            self.stream_output = False
            super().prepare_for_flow_run(*arguments, **options)

    with warnings.catch_warnings():  # it takes the place of Prefect's among the workers of its type, in this process
        warnings.simplefilter("ignore", UserWarning)

        class Worker(ProcessWorker):
            """See `direct_worker`."""

            job_configuration = Configuration

    return Worker


async def end_flow_runs(
    worker: "ProcessWorker", working: "asyncio.Task[None]", children: Callable[[], list[psutil.Process]], seconds: float = END_SECONDS
) -> None:
    """Ask every flow run of this worker to end, one that is only starting too, and wait until all have: they stop their models, and tell Prefect.

    `children` are the processes that it has started so far.
    """
    asked: set[psutil.Process] = set()
    deadline = asyncio.get_running_loop().time() + seconds
    # A worker that is not set up yet, or not any more, has none: its limiter cannot be asked.
    while not working.done() and worker.is_setup and worker.limiter.borrowed_tokens and asyncio.get_running_loop().time() < deadline:
        for child in {*children()} - asked:
            with contextlib.suppress(psutil.Error):
                child.terminate()
            asked.add(child)
        await asyncio.sleep(0.1)  # the worker has no event for it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
