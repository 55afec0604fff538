"""The flow `optimize`: work on an experiment until its budget is spent, with `parallel_bandwidth` training runs in flight."""

import asyncio
import contextlib
from importlib.util import find_spec
from typing import Any, Literal

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed
from pydantic import BaseModel, Field

from blocks.references import AwsBlock, ServiceBlock
from flows.cancelling import is_suspended
from flows.context import open_flow
from flows.declaring import flow
from flows.ending import beside, errors_as_states, tag_flow_run
from flows.learning import work_to_the_end
from flows.on_cluster import OnCluster
from flows.working import Effort, Work
from tasks.compute import Scope
from tasks.context import FlowContext
from tasks.experiments.artifacts import ArtifactReporter
from tasks.experiments.ownership import AlreadyWorkedOn, Owner, claim, creating
from tasks.experiments.resume import experiment_key, new_uid, plan, predecessor, with_flow_run
from tasks.experiments.summary import summary_of
from tasks.experiments.tally import Tally, result_line
from tasks.experiments.verdict import Verdict, unlearnable
from tasks.experiments.worker_lease import hold_lease
from tasks.steps import run_logger
from trialflow.api_types import Experiment
from trialflow.errors import ExperimentFailed, InvalidInput, LimitReached, TrialflowError
from trialflow.events import Event, tell
from trialflow.metadata_keys import EARLY_STOPPING, EXPERIMENT_TAG, FOLDER, LEARNS_FROM, MAX_COST, MLFLOW, OWNER, SAME, UID, uid_of
from trialflow.results.spending import dollars
from trialflow.specs import ExperimentSpec, FlowRunSpec


class Options(BaseModel):
    """How to work on an experiment."""

    canary: bool = Field(default=True, title="First training run alone", description="The others start when one has completed.")
    stop_after_failures: int = Field(default=5, ge=0, title="Stop after failures in a row", description="End after so many; 0 never ends.")
    new: bool = Field(default=False, title="Always new", description="Start a new experiment even if the same one is unfinished.")
    when_finished: str = Field(
        default="new",
        pattern="^(new|report)$",
        title="When the same experiment is finished",
        description="`new` starts another one, as a schedule wants it; `report` shows its result.",
    )
    learn: bool = Field(
        default=False,
        title="Learn from the last experiment of this name",
        description="Start from its results, measure its best again on today's data, and compare that with the new best in the end.",
    )
    when_busy: Literal["fail", "skip", "wait"] = Field(
        default="fail",
        title="When someone else works on the experiment",
        description="`fail` says who; `skip` completes without doing anything; `wait` waits for the end of that work.",
    )


@flow(name="optimize", flow_run_name="optimize {experiment.name}", persist_result=False, cache_result_in_memory=True)
@errors_as_states
async def optimize(
    experiment: ExperimentSpec,
    run: FlowRunSpec,
    project: str | None = None,
    directory: str | None = None,
    service: ServiceBlock | None = None,
    source: dict[str, str] | None = None,
    cluster: OnCluster | None = None,
    aws: AwsBlock | None = None,
    options: Options = Options(),  # noqa: B008 - Prefect shows it as the default
) -> dict[str, Any] | State:
    """Tune a model: suggest assignments, execute a training run, observe its metrics, until the budget is spent.

    The same experiment started again goes on where it stopped. Returns a summary of the experiment.

    Args:
        experiment: The contents of experiment.yml.
        run: The contents of run.yml: how the model is started.
        project: The project of the experiment; by default SIGOPT_PROJECT or the folder's name.
        directory: The folder that the model runs in. A deployment needs it; otherwise it is by default the one that the flow runs in.
        service: A `trialflow service` block; by default the service on this machine.
        source: `hash`, and `content` or `file`, of the model's source, kept with each training run.
        cluster: Where training runs execute, if not here.
        aws: An AWS credentials block whose keys a model here gets; on a cluster, `cluster.aws`.
        options: Canary, failures in a row, and what to do with a finished experiment.
    """
    async with open_flow(run=run, project=project, directory=directory, service=service, source=source, cluster=cluster, aws=aws) as context:
        if experiment.max_cost is not None and not context.computes.has_prices:
            raise InvalidInput(
                "experiment.yml has a max_cost, and it is not known what anything costs here",
                hint="take it out, or write `prices:` into cluster.yml and connect the cluster again",
            )
        if options.learn and (reason := unlearnable(experiment)):
            raise InvalidInput(f"this experiment cannot learn from the one before it: {reason}", hint="leave `learn` out")
        if experiment.mlflow is not None and find_spec("mlflow") is None:
            hint = "`pip install 'trialflow[mlflow]'` brings it, or take `mlflow` out"
            raise InvalidInput("experiment.yml asks for logging to MLflow, which is not installed", hint=hint)
        with creating(context.home, context.client.url):
            found, resumed = await find_experiment(context, experiment, options)
        async with beside(tag_flow_run(f"{EXPERIMENT_TAG}{found['id']}")):
            if resumed == "report":
                if uid := uid_of(found):
                    await context.computes.sweep(uid)
                return await _finish(context, found, resumed)
            try:
                return await _hold_and_work(context, experiment, found, options, resumed)
            except AlreadyWorkedOn as busy:
                if options.when_busy != "skip":
                    raise
                return Completed(name="Skipped", message=f"left out: {busy.message}")


async def _hold_and_work(context: FlowContext, spec: ExperimentSpec, found: Experiment, options: Options, resumed: str) -> State:
    """Work on an experiment as its only worker. Raises `AlreadyWorkedOn`."""
    client, identifier = context.client, found["id"]
    owner = Owner.of_this_process(context.flow_run_id)
    when_busy = "wait" if options.when_busy == "wait" else "fail"
    async with (
        hold_lease(client, context.home, identifier, owner, on_stop=context.stop, when_busy=when_busy) as lease,
        claim(context.home, client.url, identifier, owner),
    ):
        metadata = _metadata(spec, found, owner, context)
        await client.update_experiment(identifier, {"metadata": metadata})
        found = {**found, "metadata": metadata}
        async with context.computes.open(Scope(metadata[UID], experiment_id=str(identifier))) as compute:
            work = Work(context, compute, found, lease, Effort(options.canary, options.stop_after_failures))
            await work.begin(resumed)
            return await show_end(work, resumed)


async def find_experiment(context: FlowContext, spec: ExperimentSpec, options: Options) -> tuple[Experiment, str]:
    """The experiment to work on, found or created, and what is done with it: `create`, `resume` or `report`."""
    body, client = spec.to_api(), context.client
    existing = await client.experiments(context.project)
    decided = plan(
        body,
        existing,
        when_finished=options.when_finished,  # type: ignore[arg-type]
        always_new=options.new,
        flow_run_id=context.flow_run_id,
        folder=context.folder,
    )
    if decided.action == "create":
        kept = {SAME: experiment_key(body), **with_flow_run({}, context.flow_run_id, context.ui_url)}
        if options.learn and (before := predecessor(spec.name, existing, context.folder)):
            kept[LEARNS_FROM] = before
        return await client.create_experiment(context.project, {**body, "metadata": {**(body.get("metadata") or {}), **kept}}), "create"
    assert decided.experiment_id is not None
    if decided.update:
        return await client.update_experiment(decided.experiment_id, decided.update), decided.action
    return await client.experiment(decided.experiment_id), decided.action


def _metadata(spec: ExperimentSpec, found: Experiment, owner: Owner, context: FlowContext) -> dict[str, Any]:
    """The metadata of an experiment that is worked on: what it may change in the file is as that has it now, not as it was made with."""
    here = {FOLDER: context.folder} if context.folder else {}
    kept = {
        **(found.get("metadata") or {}),
        UID: uid_of(found) or new_uid(),
        **here,
        OWNER: owner.to_json(),
        **with_flow_run(found, context.flow_run_id, context.ui_url),
    }
    asked = spec.to_api().get("metadata") or {}
    return {**kept, **{name: asked.get(name) for name in (EARLY_STOPPING, MAX_COST, MLFLOW) if asked.get(name) or name in kept}}


async def show_end(work: Work, resumed: str) -> State:
    """Work to the end and show the result. A flow that is stopped ends as cancelled. Raises `ExperimentFailed` if the model fails again and again."""
    client, identifier = work.context.client, work.lease.experiment_id
    try:
        verdict = await work_to_the_end(work)
    except asyncio.CancelledError:
        if is_suspended():
            run_logger().info("suspended: what runs goes on, and is adopted when the flow run is resumed")
            raise
        run_logger().warning("stopped: %s training runs were ended; they are launched again when the experiment goes on", work.tuning.stopped)
        with contextlib.suppress(TrialflowError):  # the service may be why it was cancelled
            runs = await client.runs(work.context.project, experiment_id=identifier)
            await work.reporter.finish(runs, await client.best_runs(identifier))
        ledger = work.tuning.ledger
        return Cancelled(
            message=f"stopped with {ledger.spent} of {ledger.budget or 'unlimited'} training runs done; the same experiment again goes on"
        )
    ledger = work.tuning.ledger
    ended = await _finish(work.context, work.experiment, resumed, reporter=work.reporter, is_exhausted=ledger.exhausted, verdict=verdict)
    if ledger.is_too_dear and ledger.left != 0:
        raise LimitReached(
            f"experiment {identifier} starts no more training runs: about {dollars(ledger.cost)} were spent, and max_cost is {ledger.max_cost:g}",
            hint="raise max_cost in experiment.yml and start the same command again: it goes on with the budget that is left",
        )
    if ledger.is_broken:
        raise ExperimentFailed(
            f"experiment {identifier} was stopped: {ledger.failures_in_row} training runs failed in a row, "
            f"the last one was {work.tuning.last_failure}",
            hint="fix the model and start the same command again: it goes on with the budget that is left",
        )
    return ended


async def _finish(
    context: FlowContext,
    experiment: Experiment,
    resumed: str,
    *,
    reporter: ArtifactReporter | None = None,
    is_exhausted: bool = False,
    verdict: Verdict | None = None,
) -> State:
    """Show the result, which is read from the service: it knows the training runs of every flow that worked on the experiment."""
    identifier, client = experiment["id"], context.client
    best = await client.best_runs(identifier)
    runs = await client.runs(context.project, experiment_id=identifier)
    tally = Tally.of(runs)
    if reporter is not None:
        await reporter.finish(runs, best)
    now = await client.experiment(identifier)
    summary = summary_of(now, runs, best, is_exhausted=is_exhausted)
    tell(Event("ended", facts={"summary": summary, "resumed": resumed}))
    message = result_line(now, tally, best)
    return Completed(message=f"{message}. {verdict.sentence()}" if verdict else message, data=summary)
