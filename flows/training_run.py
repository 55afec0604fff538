"""The flow `training-run`: execute the model once, tracked, with given assignments or none."""

import asyncio
import os
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed

from blocks.references import AwsBlock, ServiceBlock
from flows.context import open_flow
from flows.declaring import flow
from flows.ending import errors_as_states
from flows.execution import Execution
from flows.on_cluster import OnCluster
from flows.tuning import new_name
from tasks.compute import Scope, label_of
from tasks.context import FlowContext, RunContext
from tasks.experiments.resume import flow_runs_of, with_flow_run
from tasks.steps import run_logger
from trialflow.api_types import TrainingRun
from trialflow.errors import ExperimentFailed
from trialflow.events import Event, tell
from trialflow.metadata_keys import REASON, STOPPED_BY_USER
from trialflow.metrics import values_of
from trialflow.specs import FlowRunSpec


def _flow_run_name() -> str:
    given = flow_run.parameters
    name = getattr(given.get("run"), "name", None) or given.get("project") or Path(given.get("directory") or os.getcwd()).name
    return f"training-run {name}"


@flow(name="training-run", flow_run_name=_flow_run_name, persist_result=False, cache_result_in_memory=True)
@errors_as_states
async def training_run(
    run: FlowRunSpec,
    assignments: dict[str, float | int | str] | None = None,
    project: str | None = None,
    directory: str | None = None,
    service: ServiceBlock | None = None,
    source: dict[str, str] | None = None,
    cluster: OnCluster | None = None,
    aws: AwsBlock | None = None,
) -> dict[str, Any] | State:
    """Execute the model once, as a training run that belongs to no experiment. Returns its id, state and metrics.

    Args:
        run: The contents of run.yml: how the model is started.
        assignments: Parameter values that the model reads as `sigopt.params`.
        project: The project of the training run; by default SIGOPT_PROJECT or the folder's name.
        directory: The folder that the model runs in. A deployment needs it; otherwise it is by default the one that the flow runs in.
        service: A `trialflow service` block; by default the service on this machine.
        source: `hash`, and `content` or `file`, of the model's source, kept with the training run.
        cluster: Where the training run executes, if not here.
        aws: An AWS credentials block whose keys a model here gets; on a cluster, `cluster.aws`.
    """
    async with open_flow(run=run, project=project, directory=directory, service=service, source=source, cluster=cluster, aws=aws) as context:
        name = (None if cluster else run.name) or new_name()
        made = await _find_or_create(context, name, assignments or dict(run.assignments))
        if made["state"] == "completed":
            return _completed(made)
        async with context.computes.open(Scope(made["name"], training_run_id=str(made["id"]))) as compute:
            return await _execute(RunContext(context, compute), made)


async def _find_or_create(context: FlowContext, name: str, assignments: dict[str, float | int | str]) -> TrainingRun:
    """The training run of this flow run: one that is retried goes on with its own, or reports it. One that failed is made anew."""
    if (flow_run.run_count or 1) > 1:
        for one in await context.client.runs(context.project):
            if context.flow_run_id in flow_runs_of(one) and one["state"] != "failed":
                return one
    kept = with_flow_run({}, context.flow_run_id, context.ui_url)
    body = {"name": name, **({"assignments": assignments} if assignments else {}), **({"dev_metadata": kept} if kept else {})}
    return await context.client.create_run(context.project, body)


async def _execute(context: RunContext, made: TrainingRun) -> State:
    execution = Execution(context)
    working = asyncio.create_task(execution.execute(made))
    try:
        observed = await asyncio.shield(working)
    except asyncio.CancelledError:
        try:
            await execution.stop()
            await asyncio.gather(working, return_exceptions=True)
        finally:
            working.cancel()
        body = {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}}
        await context.flow.client.merge_run(str(made["id"]), body)
        run_logger().warning(STOPPED_BY_USER)
        tell(Event("failed", made, STOPPED_BY_USER))
        return Cancelled(message=f"training run {label_of(made)} was {STOPPED_BY_USER}")
    assert observed is not None, "nobody stopped it"
    if observed.failure is not None:
        identifier = made["id"]
        raise ExperimentFailed(f"training run {identifier} failed: {observed.failure}", hint=f"`trialflow logs {identifier}` shows what it printed")
    return _completed(observed.training_run)


def _completed(run: TrainingRun) -> State:
    values = values_of(run)
    text = ", ".join(f"{name} {value:.5g}" for name, value in values.items()) or "no metrics"
    summary = {"training_run": str(run["id"]), "state": "completed", "values": values}
    return Completed(message=f"training run {label_of(run)} completed: {text}", data=summary)
