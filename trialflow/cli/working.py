"""Who works on an experiment: a process on this machine, or a flow run of a Prefect server elsewhere."""

import asyncio
import re
import socket
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from trialflow.cli.session import prefect_api_url
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.metadata_keys import OWNER

PATIENCE_SECONDS = 60.0
"""How long a flow run that was asked to end may take."""


def worker_of(said: str, *, here: str | None, hostname: str, flow_run_is_over: bool | None, is_finished: bool) -> str | None:
    """Who works on an experiment, or may do so; None if nobody does.

    `here` is the owner that holds the experiment on this machine, `said` the last one that the experiment names, and `flow_run_is_over` what Prefect
    says of that one's flow run, None where it cannot be asked. For owners on this machine the lock is the truth: a flow run that was killed may be
    called running by Prefect for ever.
    """
    if here is not None:
        return here
    if not said or is_finished or flow_run_is_over or f" on {hostname} since " in said:
        return None
    return said if flow_run_is_over is False else f"perhaps {said}"


async def who_works(home: Home, service_url: str, experiment: Mapping[str, Any]) -> str | None:
    """Who works on this experiment, or may do so; None if nobody does."""
    from tasks.experiments.ownership import current_owner

    owner = current_owner(home, service_url, str(experiment["id"]))
    said = str((experiment.get("metadata") or {}).get(OWNER) or "")
    budget = experiment.get("budget")
    is_finished = budget is not None and experiment["progress"]["finished_run_count"] >= budget
    over = await is_flow_run_over(said) if owner is None and said and not is_finished else None
    return worker_of(said, here=str(owner) if owner else None, hostname=socket.gethostname(), flow_run_is_over=over, is_finished=is_finished)


async def is_flow_run_over(said: str) -> bool | None:
    """Whether the flow run that an owner names has ended; None if it names none, or there is no Prefect server that can be asked."""
    match = re.search(r"flow run ([0-9a-f-]{36})", said)
    if match is None or not prefect_api_url():
        return None
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        async with get_client() as client:
            found = await client.read_flow_run(UUID(match[1]))
    except ObjectNotFound:
        return None  # of another Prefect server
    except httpx.HTTPError:
        return None
    return found.state is not None and found.state.is_final()


async def until_nobody_works(home: Home, service_url: str, experiment: Mapping[str, Any], *, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until a flow run elsewhere that was asked to end has ended. Raises `TrialflowError` if it does not within `patience` seconds."""
    for _ in range(max(1, round(patience))):
        worker = await who_works(home, service_url, experiment)
        if worker is None or worker.startswith("perhaps "):
            return
        await asyncio.sleep(1.0)  # Prefect has no way to wait for the end of a flow run but to ask
    raise TrialflowError(
        f"experiment {experiment['id']} is still being worked on by {worker}",
        hint="what runs on the cluster is left as it is; try again when it ended",
    )
