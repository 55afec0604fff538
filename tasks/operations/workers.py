"""Who works on an experiment, and how that work is stopped: a process on this machine by a signal, a flow run elsewhere through Prefect."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from tasks.experiments.ownership import Owner, claim_file, current_owner, owner_of
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.locks import is_held
from trialflow.prefect_api import prefect_api_url

PATIENCE_SECONDS = 60.0
"""How long a process or a flow run that was asked to end may take."""


@dataclass(frozen=True)
class Worker:
    """Who works on an experiment. `is_certain` is False where nothing can tell whether it still does.

    `owner` is None for a process on this machine that has not said yet who it is.
    """

    owner: Owner | None
    is_certain: bool = True

    def __str__(self) -> str:
        return ("" if self.is_certain else "perhaps ") + str(self.owner or "another process")


@dataclass(frozen=True)
class WorkStop:
    """How work on an experiment would be stopped: by a `signal` to a process here, by having Prefect `cancel` a flow run, or not at all."""

    experiment_id: str
    how: Literal["signal", "cancel", "nothing"]
    owner: Owner | None = None


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


async def who_works(home: Home, service_url: str, experiment: Mapping[str, Any]) -> Worker | None:
    """Who works on this experiment, or may do so; None if nobody does."""
    here = worker_here(home, service_url, str(experiment["id"]))
    named = owner_of(experiment)
    budget = experiment.get("budget")
    is_finished = budget is not None and experiment["progress"]["finished_run_count"] >= budget
    over = await is_flow_run_over(named.flow_run_id) if here is None and named and named.flow_run_id and not is_finished else None
    return worker_of(named, here=here, hostname=socket.gethostname(), flow_run_is_over=over, is_finished=is_finished)


def worker_here(home: Home, service_url: str, experiment_id: str) -> Worker | None:
    """Who works on the experiment from this machine, or None."""
    owner = current_owner(home, service_url, experiment_id)
    return Worker(owner) if owner or is_held(claim_file(home, service_url, experiment_id)) else None


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


async def plan_work_stop(home: Home, service_url: str, experiment: Mapping[str, Any]) -> WorkStop:
    """How the work on this experiment would be stopped."""
    identifier = str(experiment["id"])
    here = current_owner(home, service_url, identifier)
    if here is not None and here.host == socket.gethostname():
        return WorkStop(identifier, "signal", here)
    named = owner_of(experiment)
    if named and named.flow_run_id and await is_flow_run_over(named.flow_run_id) is False:
        return WorkStop(identifier, "cancel", named)
    return WorkStop(identifier, "nothing")


async def apply_work_stop(stop: WorkStop, home: Home, service_url: str, *, patience: float = PATIENCE_SECONDS) -> None:
    """Stop the work. A process on this machine has ended on return; a flow run elsewhere has been asked to.

    Raises `TrialflowError` if a process may not be stopped or has not ended after `patience` seconds.
    """
    if stop.owner is None:
        return
    if stop.how == "cancel":
        await _cancel(str(stop.owner.flow_run_id))
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stop.owner.pid, signal.SIGINT)
    except PermissionError:
        raise TrialflowError(
            f"process {stop.owner.pid} works on experiment {stop.experiment_id} and is another user's", hint="ask whoever started it"
        ) from None
    path = claim_file(home, service_url, stop.experiment_id)
    try:
        async with asyncio.timeout(patience):
            while is_held(path):
                await asyncio.sleep(0.05)  # a thread that waits for the lock could not be called off
    except TimeoutError:
        raise TrialflowError(
            f"process {stop.owner.pid} still works on experiment {stop.experiment_id} after {patience:.0f} s",
            hint=f"end it with `kill {stop.owner.pid}`",
        ) from None


async def until_nobody_works(home: Home, service_url: str, experiment: Mapping[str, Any], *, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until a flow run elsewhere that was asked to end has ended. Raises `TrialflowError` if it does not within `patience` seconds."""
    for _ in range(max(1, round(patience))):
        worker = await who_works(home, service_url, experiment)
        if worker is None or not worker.is_certain:
            return
        await asyncio.sleep(1.0)  # Prefect has no way to wait for the end of a flow run but to ask
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
