"""The flow `training-run`: execute the model once, tracked, with given assignments or none."""

import asyncio
import secrets
import string
from contextlib import AsyncExitStack
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from flows.cluster import OnCluster
from flows.execution import Execution
from flows.workplace import workplace
from trialflow.errors import ExperimentFailed
from trialflow.events import Event, tell
from trialflow.metadata_keys import REASON, STOPPED_BY_USER
from trialflow.metrics import values_of
from trialflow.specs import RunSpec


@flow(name="training-run", flow_run_name="training-run {run.name}", persist_result=False)
async def training_run(
    run: RunSpec,
    assignments: dict[str, float | int | str] | None = None,
    project: str | None = None,
    directory: str | None = None,
    service: str | None = None,
    source: dict[str, str] | None = None,
    cluster: OnCluster | None = None,
) -> dict[str, Any] | State:
    """Execute the model once, as a training run that belongs to no experiment. Returns its id, state and metrics.

    Args:
        run: The contents of run.yml: how the model is started.
        assignments: Parameter values that the model reads as `sigopt.params`.
        project: The project of the training run; by default SIGOPT_PROJECT or the folder's name.
        directory: The folder that the model runs in; by default the one that the flow runs in.
        service: Name of a `trialflow service` block; by default the service on this machine.
        source: `hash`, and `content` or `file`, of the model's source, kept with the training run.
        cluster: Where the training run executes, if not here.
    """
    async with AsyncExitStack() as held:
        place = await held.enter_async_context(
            workplace(run=run, project=project, directory=directory, service=service, source=source, cluster=cluster)
        )
        name = (None if cluster else run.name) or "run-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        given = assignments or dict(run.assignments)
        body: dict[str, Any] = {"name": name, **({"assignments": given} if given else {})}
        made = await place.client.create_run(place.project, body)
        execution = Execution(await held.enter_async_context(place.bench(uid=name, training_run_id=str(made["id"]))))
        try:
            outcome, seen = await execution.execute(made)
        except asyncio.CancelledError:
            await execution.stop()
            await place.client.merge_run(made["id"], {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}})
            get_run_logger().warning("stopped by the user")
            tell(Event("failed", made, "stopped by the user"))
            return Cancelled(message="stopped by the user")
        if outcome.kind == "failed":
            raise ExperimentFailed(f"training run {made['id']} failed: {outcome.reason}", hint=f"`trialflow logs {made['id']}` shows what it printed")
        return {"training_run": str(made["id"]), "state": outcome.kind, "values": values_of(seen)}
