"""How work on an experiment is stopped from another terminal: on this machine by a signal, elsewhere through Prefect."""

import asyncio
import fcntl
import os
import re
import signal
import socket
from collections.abc import Mapping
from typing import Any

from trialflow.cli.session import prefect_api_url
from trialflow.cli.terminal.messages import say
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.metadata_keys import OWNER

PATIENCE_SECONDS = 60.0


async def stop_work(home: Home, service_url: str, experiment: Mapping[str, Any]) -> int:
    """Stop whoever works on the experiment and wait for the end of it. Exit code 0, also if nobody does."""
    from tasks.experiments.ownership import claim_file, current_owner

    identifier = experiment["id"]
    owner = current_owner(home, service_url, identifier)
    if owner is not None and owner.host == socket.gethostname():
        os.kill(owner.pid, signal.SIGINT)
        say(f"stopping the work on experiment {identifier} by {owner}")
        path = claim_file(home, service_url, identifier)
        try:
            await asyncio.wait_for(asyncio.to_thread(_wait_until_free, str(path)), PATIENCE_SECONDS)
        except TimeoutError:
            raise TrialflowError(
                f"process {owner.pid} still works on experiment {identifier} after {PATIENCE_SECONDS:.0f} s", hint=f"end it with `kill {owner.pid}`"
            ) from None
        say("stopped; the same command goes on with it")
        return 0
    said = (experiment.get("metadata") or {}).get(OWNER) or ""
    if (match := re.search(r"flow run ([0-9a-f-]{36})", said)) and prefect_api_url() and await _cancel(match[1]):
        say(f"asked Prefect to cancel the flow run of {said}")
        return 0
    say(f"nobody works on experiment {identifier}")
    return 0


def _wait_until_free(path: str) -> None:
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_SH)


async def _cancel(flow_run: str) -> bool:
    """Cancel a flow run that is under way. Returns whether it was."""
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Cancelling

    async with get_client() as client:
        try:
            found = await client.read_flow_run(UUID(flow_run))
        except ObjectNotFound:
            return False
        if found.state is None or found.state.is_final():
            return False
        await client.set_flow_run_state(UUID(flow_run), Cancelling())
    return True
