"""The flow `worker`: join the work on an experiment that exists, from this machine or another, within its one budget."""

from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State

from blocks.references import AwsBlock, ServiceBlock
from flows.context import open_flow
from flows.declaring import flow
from flows.ending import beside, errors_as_states, tag_flow_run
from flows.optimize import show_end
from flows.working import Effort, Work
from tasks.compute import Scope
from tasks.experiments.ownership import Owner
from tasks.experiments.resume import new_uid
from tasks.experiments.worker_lease import hold_lease
from trialflow.errors import InvalidInput
from trialflow.metadata_keys import EXPERIMENT_TAG, UID, uid_of
from trialflow.specs import FlowRunSpec


@flow(name="worker", flow_run_name="worker of experiment {experiment_id}", persist_result=False, cache_result_in_memory=True)
@errors_as_states
async def worker(
    experiment_id: str,
    run: FlowRunSpec,
    project: str | None = None,
    directory: str | None = None,
    service: ServiceBlock | None = None,
    source: dict[str, str] | None = None,
    aws: AwsBlock | None = None,
    parallel: int = 1,
    stop_after_failures: int = 5,
) -> dict[str, Any] | State:
    """Execute training runs of an experiment beside its other workers, until its budget is spent.

    Args:
        experiment_id: The experiment to join.
        run: The contents of run.yml: how the model is started.
        project: The project of the experiment, if the service has several.
        directory: The folder that the model runs in. A deployment needs it; otherwise it is by default the one that the flow runs in.
        service: A `trialflow service` block; by default the service on this machine.
        source: `hash`, and `content` or `file`, of the model's source, kept with each training run.
        aws: An AWS credentials block whose keys the model gets.
        parallel: How many training runs this worker has in flight.
        stop_after_failures: Failures in a row that end this worker; 0 for never.
    """
    async with open_flow(run=run, project=project, directory=directory, service=service, source=source, aws=aws) as opened:
        found = await opened.client.experiment(experiment_id)
        if found.get("state") == "deleted":
            raise InvalidInput(f"experiment {experiment_id} is archived", hint="nobody can work on it")
        context = replace(opened, project=found["project"])
        owner = Owner.of_this_process(context.flow_run_id)
        async with (
            beside(tag_flow_run(f"{EXPERIMENT_TAG}{experiment_id}")),
            hold_lease(context.client, context.home, experiment_id, owner, on_stop=context.stop, exclusive=False) as lease,
        ):
            if lease.identifier is None:
                raise InvalidInput(
                    f"the service at {context.client.url} cannot have several workers on one experiment",
                    hint="use trialflow's own service (`trialflow service`), of this version",
                )
            if (uid := uid_of(found)) is None:
                uid = new_uid()
                found = await context.client.update_experiment(experiment_id, {"metadata": {**(found.get("metadata") or {}), UID: uid}})
            async with context.computes.open(Scope(uid, experiment_id=experiment_id)) as compute:
                effort = Effort(canary=False, stop_after_failures=stop_after_failures, parallel=parallel)
                work = Work(context, compute, found, lease, effort)
                await work.begin("join")
                return await show_end(work, "join")
