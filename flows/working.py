"""Work on one experiment under a lease: tune until nothing is left to start, then take over what workers that are gone have left behind."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flows.cancelling import is_suspended
from flows.execution import Chain
from flows.tuning import Tuning
from tasks.compute import Compute
from tasks.context import FlowContext, RunContext
from tasks.experiments.artifacts import ArtifactReporter
from tasks.experiments.client import LeaseLost, ServiceClient, ServiceUnavailable
from tasks.experiments.ownership import Owner, owner_from
from tasks.experiments.tally import Tally
from tasks.experiments.worker_lease import WorkerLease, read_leases
from tasks.local import LocalComputes
from tasks.outcome import required_metrics
from tasks.steps import UNAVAILABLE, TaskChain, run_logger, warn
from tasks.training_runs import is_ours
from trialflow.api_types import Experiment, TrainingRun
from trialflow.events import Event, tell
from trialflow.metadata_keys import EARLY_STOPPING
from trialflow.results.links import experiment_page
from trialflow.specs.mlflow import mlflow_of

if TYPE_CHECKING:
    from tasks.experiments.early_stopper import EarlyStopper
    from tasks.experiments.mlflow_log import MlflowLog

STOPPED_SECONDS = 5.0
"""How long one that is stopped waits for MLflow."""
LOOK_SECONDS = 5.0
"""How often one that has nothing more to start looks whether other workers have finished, or are gone."""


@dataclass(frozen=True)
class Effort:
    """How to work: the first training run alone (`canary`), until so many failures in a row; `parallel` at once, if not as the experiment says."""

    canary: bool = True
    stop_after_failures: int = 5
    parallel: int | None = None


class Work:
    """The work of this process on an experiment. `tuning` is what it does at present, `reporter` shows it in Prefect."""

    def __init__(
        self,
        context: FlowContext,
        compute: Compute,
        experiment: Experiment,
        lease: WorkerLease,
        effort: Effort,
        new_chain: Callable[[], Chain] = TaskChain,
    ) -> None:
        self._new_chain = new_chain
        self.context = context
        self.experiment: Experiment = experiment if effort.parallel is None else {**experiment, "parallel_bandwidth": effort.parallel}
        self.lease = lease
        lease.on_stopped_runs = lambda training_runs: self.tuning.execution.end(training_runs)
        self._compute = compute
        self._effort = effort
        self._stopper: EarlyStopper | None = None
        self._up_to: int | None = None
        self._mlflow: MlflowLog | None = None
        self.tuning: Tuning
        self.reporter: ArtifactReporter

    async def begin(self, resumed: str) -> None:
        """Read what there is, take what nobody executes, and tell how far the experiment is."""
        identifier, client = self.experiment["id"], self.context.client
        runs = await client.runs(self.context.project, experiment_id=identifier)
        self._stopper = await _early_stopper(client, self.experiment, runs)
        await self._tune(runs)
        has_pages = self.lease.identifier is not None  # a service without leases, such as SigOpt's own, has no pages of ours either
        self.reporter = ArtifactReporter(self.experiment, self.tuning.ledger, page=experiment_page(client.url, identifier) if has_pages else None)
        best = await client.best_runs(identifier) if resumed != "create" else []
        tally = asdict(Tally.of(runs))
        facts = {
            "experiment": self.experiment,
            "resumed": resumed,
            "flow_run": self.context.flow_run_id or "",
            "best": best,
            "tally": tally,
            "uses": self.tuning.ledger.uses,
        }
        tell(Event("experiment", facts=facts))
        ledger = self.tuning.ledger
        run_logger().info("experiment %s (%s): %s of %s training runs done", identifier, self.experiment["name"], ledger.spent, ledger.budget)

    @asynccontextmanager
    async def logged(self) -> AsyncIterator[None]:
        """Log to MLflow what ends inside, if the experiment asks for it. The end waits a while for what is not logged yet, a short one if stopped."""
        if (log := _mlflow_log(self.context.client, self.experiment)) is None:
            yield
            return
        self._mlflow = log
        try:
            yield
        except BaseException:
            await log.finish(seconds=STOPPED_SECONDS)
            raise
        await log.finish()

    async def up_to(self, count: int | None) -> bool:
        """Work until `count` training runs have ended, or to the end if None. Whether work may go on. Raises what `to_the_end` does."""
        self._up_to = count
        await self._tune(await self.context.client.runs(self.context.project, experiment_id=self.experiment["id"]))
        self.reporter.ledger = self.tuning.ledger
        await self.to_the_end()
        ledger = self.tuning.ledger
        return not (ledger.is_broken or ledger.exhausted or ledger.is_too_dear)

    async def to_the_end(self) -> None:
        """Work until the experiment is finished, or broken. Raises what stops it before: cancellation, `LeaseLost`, an error of `UNAVAILABLE`."""
        try:
            while True:
                await _until_ended(self.tuning, self.lease, self._observed)
                if self.tuning.ledger.is_broken or self.tuning.ledger.exhausted or self.tuning.ledger.is_too_dear or not await self._goes_on():
                    return
        except UNAVAILABLE as error:
            away = "service" if isinstance(error, ServiceUnavailable) else "cluster"
            count = len(self.tuning.execution.in_flight)
            error.hint = f"{count} training runs go on; when the {away} is back, the same command adopts them"
            raise
        except LeaseLost as lost:
            successor = await _successor(self.context.client, self.lease.experiment_id)
            if isinstance(self.context.computes, LocalComputes) and successor is not None and successor.host != socket.gethostname():
                await self.tuning.execution.stop()  # it executes them anew, and cannot follow those of this machine
            raise LeaseLost(f"{successor or 'another worker'} has taken over experiment {self.lease.experiment_id}", hint=lost.hint) from lost

    def _observed(self, training_run_id: str) -> None:
        self.reporter.observed()
        if self._mlflow is not None:
            self._mlflow.ended(training_run_id)

    async def _goes_on(self) -> bool:
        """Whether there is more to do, perhaps after waiting for other workers: a training run whose worker is gone, or more budget than before."""
        identifier = self.lease.experiment_id
        while True:
            now = await self.context.client.experiment(identifier)
            self.experiment = {**self.experiment, "progress": now["progress"], "budget": now.get("budget")}
            runs = await self.context.client.runs(self.context.project, experiment_id=identifier)
            await self._tune(runs)
            self.reporter.ledger = self.tuning.ledger
            if self.tuning.has_work:
                return True
            if not any(one["state"] == "active" and is_ours(one) for one in runs):
                return False
            await asyncio.sleep(LOOK_SECONDS)

    async def _tune(self, runs: Sequence[TrainingRun]) -> None:
        """A new `Tuning` of the experiment as it is; of the active training runs it knows those that are this worker's."""
        mine = await self.lease.adopt([str(one["id"]) for one in runs if one["state"] == "active" and is_ours(one)])
        names, needed = required_metrics(self.experiment["metrics"])
        self.tuning = Tuning(
            RunContext(self.context, self._compute, names, needed, self._stopper),
            self.experiment,
            [one for one in runs if one["state"] != "active" or one["id"] in mine],
            canary=self._effort.canary,
            stop_after_failures=self._effort.stop_after_failures,
            new_chain=self._new_chain,
        )
        self.tuning.ledger.up_to = self._up_to


async def _until_ended(tuning: Tuning, lease: WorkerLease, on_observed: Callable[[str], None]) -> None:
    """Tune to the end, or until the lease is lost: then what is in flight is left as it is, and `LeaseLost` raised."""
    work = asyncio.ensure_future(tuning.run(on_observed))
    while not work.done():
        try:
            await asyncio.wait({work} if lease.lost.done() else {work, lease.lost}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if is_suspended():
                tuning.leave()
            work.cancel()
            continue
        if lease.lost.done() and not work.done():
            tuning.leave()
            work.cancel()
    if lease.lost.done() and work.cancelled():
        raise lease.lost.result()
    work.result()


async def _successor(client: ServiceClient, experiment_id: str) -> Owner | None:
    try:
        leases = await read_leases(client, experiment_id)
    except ServiceUnavailable:
        return None
    return owner_from(leases[-1]["holder"]) if leases else None


async def _early_stopper(client: ServiceClient, experiment: Experiment, runs: list[TrainingRun]) -> "EarlyStopper | None":
    if not (experiment.get("metadata") or {}).get(EARLY_STOPPING):
        return None
    from tasks.experiments.early_stopper import EarlyStopper  # the rule comes with numpy and scipy, which nothing else here needs

    return await EarlyStopper.of(experiment, runs, client)


def _mlflow_log(client: ServiceClient, experiment: Experiment) -> "MlflowLog | None":
    if (spec := mlflow_of(experiment.get("metadata"))) is None:
        return None
    from tasks.experiments.mlflow_log import MlflowLog  # hardly any experiment asks for it

    log = MlflowLog(client, experiment, spec, warn=warn)
    log.start()
    return log
