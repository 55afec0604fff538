"""The flow `optimize`: work on an experiment until its budget is spent, with `parallel_bandwidth` training runs in flight."""

import asyncio
import secrets
import string
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import BaseModel, Field

from flows.cluster import OnCluster
from flows.execution import Execution
from flows.slots import keep_full
from flows.workplace import Workplace, workplace
from tasks.experiments.artifacts import ArtifactReporter
from tasks.experiments.client import ServiceRefused, ServiceUnavailable
from tasks.experiments.ledger import Ledger
from tasks.experiments.ownership import Owner, claim, creating
from tasks.experiments.resume import experiment_key, new_uid, plan
from tasks.kubernetes.client.errors import ClusterUnavailable
from tasks.training_runs import Bench, is_ours, suggest
from trialflow.errors import ExperimentFailed
from trialflow.events import Event, tell
from trialflow.metadata_keys import EARLY_STOPPING, FOLDER, OWNER, SAME, UID
from trialflow.metrics import values_of
from trialflow.specs import ExperimentSpec, RunSpec

if TYPE_CHECKING:
    from tasks.experiments.early_stopper import EarlyStopper


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


@flow(name="optimize", flow_run_name="optimize {experiment.name}", persist_result=False, cache_result_in_memory=True)
async def optimize(
    experiment: ExperimentSpec,
    run: RunSpec,
    project: str | None = None,
    directory: str | None = None,
    service: str | None = None,
    source: dict[str, str] | None = None,
    cluster: OnCluster | None = None,
    options: Options = Options(),  # noqa: B008 - Prefect shows it as the default
) -> dict[str, Any] | State:
    """Tune a model: suggest assignments, execute a training run, observe its metrics, until the budget is spent.

    The same experiment started again goes on where it stopped. Returns a summary of the experiment.

    Args:
        experiment: The contents of experiment.yml.
        run: The contents of run.yml: how the model is started.
        project: The project of the experiment; by default SIGOPT_PROJECT or the folder's name.
        directory: The folder that the model runs in; by default the one that the flow runs in.
        service: Name of a `trialflow service` block; by default the service on this machine.
        source: `hash`, and `content` or `file`, of the model's source, kept with each training run.
        cluster: Where training runs execute, if not here.
        options: Canary, failures in a row, and what to do with a finished experiment.
    """
    async with workplace(run=run, project=project, directory=directory, service=service, source=source, cluster=cluster) as place:
        with creating(place.home, place.client.url):
            found, resumed = await _experiment(place, experiment, options)
        if resumed == "report":
            await place.sweep((found.get("metadata") or {}).get(UID))
            return await _finish(place, found, resumed)
        owner = Owner.of_this_process(str(flow_run.id) if flow_run.id else None)
        with claim(place.home, place.client.url, found["id"], owner), tags(f"experiment:{found['id']}"):
            metadata = _metadata(experiment, found, owner, place.folder)
            await place.client.update_experiment(found["id"], {"metadata": metadata})
            found = {**found, "metadata": metadata}
            required = tuple(metric["name"] for metric in found["metrics"])
            async with place.bench(uid=metadata[UID], experiment_id=str(found["id"]), required=required) as bench:
                return await _work(place, bench, found, options, resumed)


def _metadata(spec: ExperimentSpec, found: dict[str, Any], owner: Owner, folder: str | None) -> dict[str, Any]:
    """The metadata of an experiment that is worked on: early stopping is as the file has it now, not as it was when the experiment was made."""
    here = {FOLDER: folder} if folder else {}
    kept = {UID: new_uid(), **(found.get("metadata") or {}), **here, OWNER: owner.to_json()}
    asked = (spec.to_api().get("metadata") or {}).get(EARLY_STOPPING)
    return {**kept, EARLY_STOPPING: asked} if asked or EARLY_STOPPING in kept else kept


async def _experiment(place: Workplace, spec: ExperimentSpec, options: Options) -> tuple[dict[str, Any], str]:
    """The experiment to work on and what was done to have it: `create`, `resume` or `report`."""
    body = spec.to_api()
    existing = [] if options.new else await place.client.experiments(place.project)
    decided = plan(body, existing, when_finished=options.when_finished, always_new=options.new, folder=place.folder)  # type: ignore[arg-type]
    if decided.action == "create":
        body["metadata"] = {**(body.get("metadata") or {}), SAME: experiment_key(body)}
        return await place.client.create_experiment(place.project, body), "create"
    assert decided.experiment_id is not None
    if decided.update:
        return await place.client.update_experiment(decided.experiment_id, decided.update), decided.action
    return await place.client.experiment(decided.experiment_id), decided.action


async def _work(place: Workplace, bench: Bench, experiment: dict[str, Any], options: Options, resumed: str) -> dict[str, Any] | State:
    logger = get_run_logger()
    execution = Execution(bench)
    runs = await place.client.runs(place.project, experiment_id=experiment["id"])
    ours = [one for one in runs if is_ours(one)]
    active = [one for one in ours if one["state"] == "active"]
    proven = any(one["state"] == "completed" for one in ours)
    ledger = Ledger.of(experiment, ours=len(active), canary=options.canary, stop_after_failures=options.stop_after_failures, proven=proven)
    reporter = ArtifactReporter(experiment, ledger)
    bench.prospects = await _prospects(place, experiment, runs)
    best = await place.client.best_runs(experiment["id"]) if resumed == "resume" else []
    tell(Event("experiment", facts={"experiment": experiment, "resumed": resumed, "flow_run": str(flow_run.id or ""), "best": best}))
    logger.info("experiment %s (%s): %s of %s training runs done", experiment["id"], experiment["name"], ledger.spent, ledger.budget)

    async def take(run: dict[str, Any]) -> None:
        outcome, seen = await execution.execute(run)
        ledger.complete(run["name"], is_early=outcome.is_early) if outcome.kind == "completed" else ledger.fail(run["name"])
        reporter.observed(seen, outcome)

    async def one_more(name: str) -> None:
        try:
            run = await suggest(name, bench, experiment["id"])
        except ServiceRefused as refused:
            ledger.drop(name)
            if not refused.is_space_exhausted:
                raise
            ledger.exhausted = True
            logger.info("space exhausted: every point has been tried")
            return
        await take(run)

    def start_next() -> Awaitable[None] | None:
        if not ledger.may_start:
            return None
        name = "run-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        ledger.start(name)
        return one_more(name)

    for one in active:
        ledger.start(one["name"])
    try:
        await keep_full(start_next, [take(one) for one in active])
    except asyncio.CancelledError:
        await _stop(execution, place, experiment, reporter)
        return Cancelled(message=f"stopped with {ledger.spent} of {ledger.budget} training runs done; the same command goes on")
    except (ServiceUnavailable, ClusterUnavailable) as error:
        away = "service" if isinstance(error, ServiceUnavailable) else "cluster"
        error.hint = f"{len(execution.in_flight)} training runs go on; when the {away} is back, the same command adopts them"
        raise
    except Exception:
        await execution.stop()
        raise
    summary = await _finish(place, experiment, resumed, ledger, reporter)
    if ledger.is_broken:
        raise ExperimentFailed(
            f"experiment {experiment['id']} was stopped: {ledger.failures_in_row} training runs failed one after the other, "
            f"the last one because: {reporter.last_failure}",
            hint="mend the model and start the same command again: it goes on with the budget that is left",
        )
    return summary


async def _prospects(place: Workplace, experiment: dict[str, Any], runs: list[dict[str, Any]]) -> "EarlyStopper | None":
    if not experiment["metadata"].get(EARLY_STOPPING):
        return None
    from tasks.experiments.early_stopper import EarlyStopper  # the rule comes with numpy and scipy, which nothing else here needs

    return await EarlyStopper.of(experiment, runs, place.client)


async def _stop(execution: Execution, place: Workplace, experiment: dict[str, Any], reporter: ArtifactReporter) -> None:
    """End what runs; a second cancellation (SIGINT twice, SIGTERM then SIGKILL) does not wait for it."""
    stopped = await execution.stop()
    get_run_logger().warning("stopped: %s training runs were ended; they are launched again when the experiment goes on", stopped)
    await reporter.finish(await place.client.best_runs(experiment["id"]))


async def _finish(
    place: Workplace, experiment: dict[str, Any], resumed: str, ledger: Ledger | None = None, reporter: ArtifactReporter | None = None
) -> dict[str, Any]:
    best = await place.client.best_runs(experiment["id"])
    if reporter is not None:
        await reporter.finish(best)
    now = await place.client.experiment(experiment["id"])
    summary = {
        "experiment": str(now["id"]),
        "name": now["name"],
        "budget": now.get("budget"),
        "done": now["progress"]["finished_run_count"],
        "lost": ledger.lost if ledger else 0,
        "failed": ledger.failed if ledger else 0,
        "stopped": ledger.stopped if ledger else 0,
        "space_exhausted": bool(ledger and ledger.exhausted),
        "best": [{"id": one["id"], "assignments": one["assignments"], "values": values_of(one)} for one in best],
    }
    tell(Event("ended", facts={"summary": summary, "resumed": resumed}))
    return summary
