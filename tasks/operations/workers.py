"""Who works on an experiment, and how that work is stopped: a process on this machine by a signal, one elsewhere through the service or Prefect."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from tasks.experiments.client import ServiceClient, ServiceNotFound
from tasks.experiments.ownership import Owner, claim_file, current_owner, owner_from, owner_of
from tasks.experiments.worker_lease import is_gone, lock_file, read_leases
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.locks import is_held
from trialflow.prefect_api import prefect_api_url

PATIENCE_SECONDS = 60.0
"""How long a process or a flow run that was asked to end may take."""


@dataclass(frozen=True)
class Worker:
    """Who works on an experiment. `is_certain` is False where nothing can tell whether it still does.

    `owner` is None for a process on this machine that has not said yet who it is. `lease` is the id of its lease, `lock` the lock that it holds here.
    """

    owner: Owner | None
    is_certain: bool = True
    lease: str | None = None
    lock: Path | None = None

    def __str__(self) -> str:
        return ("" if self.is_certain else "perhaps ") + str(self.owner or "another process")

    @property
    def stop(self) -> Literal["signal", "ask", "cancel", "nothing"]:
        """How it is stopped: a `signal` to a process here, the service that will `ask` it, Prefect that will `cancel` its flow run, or not at all."""
        if self.owner is not None and self.owner.host == socket.gethostname() and self.lock is not None:
            return "signal"
        if self.lease is not None:
            return "ask"
        return "cancel" if self.is_certain and self.owner is not None and self.owner.flow_run_id else "nothing"


def worker_of(named: Owner | None, *, here: Worker | None, hostname: str, flow_run_is_over: bool | None, is_finished: bool) -> Worker | None:
    """Who works on an experiment, or may do so; None if nobody does.

    `here` holds the experiment on this machine, `named` is the last owner that the experiment names, and `flow_run_is_over` what Prefect says of
    that one's flow run, None where it cannot be asked. For owners on this machine the lock is the truth: Prefect may call a flow run that was
    killed running for ever.
    """
    if here is not None:
        return here
    if named is None or is_finished or flow_run_is_over or named.host == hostname:
        return None
    return Worker(named, is_certain=flow_run_is_over is False)


async def workers_of(home: Home, client: ServiceClient, experiment: Mapping[str, Any]) -> list[Worker]:
    """All who work on this experiment, or may do so. Leases tell; without them, as with versions before 0.2, locks and Prefect do."""
    identifier = str(experiment["id"])
    leases = await read_leases(client, identifier) or []
    found = [Worker(owner_from(one["holder"]), lease=str(one["id"]), lock=lock_file(one, home)) for one in leases if not is_gone(one, home)]
    if found:
        return found
    here = worker_here(home, client.url, identifier)
    named = owner_of(experiment)
    budget = experiment.get("budget")
    is_finished = budget is not None and experiment["progress"]["finished_run_count"] >= budget
    over = await is_flow_run_over(named.flow_run_id) if here is None and named and named.flow_run_id and not is_finished else None
    worker = worker_of(named, here=here, hostname=socket.gethostname(), flow_run_is_over=over, is_finished=is_finished)
    return [worker] if worker else []


async def who_works(home: Home, client: ServiceClient, experiment: Mapping[str, Any]) -> Worker | None:
    """The first of those who work on this experiment, or may do so; None if nobody does."""
    return next(iter(await workers_of(home, client, experiment)), None)


def worker_here(home: Home, service_url: str, experiment_id: str) -> Worker | None:
    """Who holds the experiment on this machine, or None."""
    path, owner = claim_file(home, service_url, experiment_id), current_owner(home, service_url, experiment_id)
    return Worker(owner, lock=path) if owner or is_held(path) else None


async def is_flow_run_over(flow_run_id: str) -> bool | None:
    """Whether a flow run has ended; None if there is no Prefect server to ask, or it does not know it."""
    if not prefect_api_url():
        return None
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        async with get_client() as client:
            found = await client.read_flow_run(UUID(flow_run_id))
    except (ObjectNotFound, httpx.HTTPError):  # of another Prefect server, or away
        return None
    return found.state is not None and found.state.is_final()


async def apply_work_stop(worker: Worker, client: ServiceClient, experiment_id: str, *, patience: float = PATIENCE_SECONDS) -> None:
    """Stop the work of one worker. A process on this machine has ended on return; one elsewhere has been asked to.

    Raises `TrialflowError` if a process may not be stopped or has not ended after `patience` seconds.
    """
    if worker.stop == "cancel":
        assert worker.owner is not None
        await _cancel(str(worker.owner.flow_run_id))
    elif worker.stop == "ask":
        with contextlib.suppress(ServiceNotFound):  # it has ended
            await client.request("POST", "aiexperiments", experiment_id, "workers", str(worker.lease), "stop")
    elif worker.stop == "signal":
        assert worker.owner is not None and worker.lock is not None
        await _interrupt(worker.owner.pid, worker.lock, experiment_id, patience)


async def _interrupt(pid: int, lock: Path, experiment_id: str, patience: float) -> None:
    try:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    except PermissionError:
        raise TrialflowError(f"process {pid} works on experiment {experiment_id} and is another user's", hint="ask whoever started it") from None
    try:
        async with asyncio.timeout(patience):
            while is_held(lock):
                await asyncio.sleep(0.05)  # a thread that waits for the lock could not be called off
    except TimeoutError:
        raise TrialflowError(
            f"process {pid} still works on experiment {experiment_id} after {patience:.0f} s", hint=f"end it with `kill {pid}`"
        ) from None


async def until_nobody_works(home: Home, client: ServiceClient, experiment: Mapping[str, Any], *, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until those elsewhere that were asked to end have ended. Raises `TrialflowError` if it does not within `patience` seconds."""
    for _ in range(max(1, round(patience))):
        worker = await who_works(home, client, experiment)
        if worker is None or not worker.is_certain:
            return
        await asyncio.sleep(1.0)  # neither the service nor Prefect has a way to wait for that but to ask
    raise TrialflowError(
        f"experiment {experiment['id']} is still being worked on by {worker}",
        hint="what runs on the cluster is left as it is; try again when that work has ended",
    )


async def _cancel(flow_run_id: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    async with get_client() as client:
        found = await client.read_flow_run(UUID(flow_run_id))
        if found.state is not None and not found.state.is_final():
            await client.set_flow_run_state(UUID(flow_run_id), Cancelling())
