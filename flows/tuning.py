"""The loop that works on an experiment: `parallel_bandwidth` training runs in flight, until the budget is spent. It needs no Prefect server."""

import secrets
import string
from collections.abc import Awaitable, Callable, Sequence

from prefect.exceptions import Pause

from flows.execution import Chain, Execution
from flows.slots import END_SECONDS, keep_full
from tasks.compute import label_of
from tasks.context import RunContext
from tasks.experiments.client import LeaseLost, ServiceRefused
from tasks.experiments.ledger import Ledger
from tasks.steps import UNAVAILABLE, TaskChain, run_logger
from tasks.training_runs import is_ours, suggest
from trialflow.api_types import Experiment, TrainingRun
from trialflow.errors import TrialflowError
from trialflow.results.spending import uses_of

ALPHABET = string.ascii_lowercase + string.digits


def new_name() -> str:
    """A name for a training run that a flow makes."""
    return "run-" + "".join(secrets.choice(ALPHABET) for _ in range(8))


class Tuning:
    """Works on one experiment. `runs` are the training runs that it has when work begins; those that are active and ours are adopted.

    `ledger` counts; `last_failure` is why a training run failed last; `stopped` is how many were stopped by an orderly end of `run`.
    """

    def __init__(
        self,
        context: RunContext,
        experiment: Experiment,
        runs: Sequence[TrainingRun],
        *,
        canary: bool = True,
        stop_after_failures: int = 5,
        new_chain: Callable[[], Chain] = TaskChain,
        end_seconds: float = END_SECONDS,
    ) -> None:
        ours = [one for one in runs if is_ours(one)]
        self._active = [one for one in ours if one["state"] == "active"]
        proven = any(one["state"] == "completed" for one in ours)
        self.ledger = Ledger.of(experiment, ours=len(self._active), canary=canary, stop_after_failures=stop_after_failures, proven=proven)
        self.ledger.uses = [use for one in runs for use in uses_of(one)]
        self.ledger.uses_now = context.compute.uses
        self.execution = Execution(context, new_chain)
        self.last_failure: str | None = None
        self.stopped = 0
        self._is_leaving = False
        self._experiment_id = str(experiment["id"])
        self._end_seconds = end_seconds
        self._on_observed: Callable[[str], None] = lambda training_run_id: None

    @property
    def has_work(self) -> bool:
        """Whether there is a training run to go on with, or one may start."""
        return bool(self._active) or self.ledger.may_start

    async def run(self, on_observed: Callable[[str], None] = lambda training_run_id: None) -> None:
        """Work until no training run may start any more and all have ended. `on_observed` is called with the id of each.

        If it is cancelled, or fails for a reason of its own, what is in flight is stopped in order. If the service or the
        compute is away, or the lease is lost, it goes on.
        """
        self._on_observed = on_observed
        for one in self._active:
            self.ledger.start(one["name"])
        await keep_full(self._start_next, [self._take(one) for one in self._active], stop=self._stop, end_seconds=self._end_seconds)

    def leave(self) -> None:
        """When `run` is cancelled next, leave what is in flight as it is: another flow goes on with it."""
        self._is_leaving = True

    def _start_next(self) -> Awaitable[None] | None:
        if not self.ledger.may_start:
            return None
        name = new_name()
        self.ledger.start(name)
        return self._one_more(name)

    async def _one_more(self, name: str) -> None:
        chain, tries = self.execution.new_chain(), 0

        async def ask() -> TrainingRun:
            nonlocal tries
            tries += 1
            return await suggest(self.execution.context, self._experiment_id, name, is_retry=tries > 1)

        try:
            run = await chain("suggest", name, ask)
        except ServiceRefused as refused:
            self.ledger.drop(name)
            if refused.is_budget_taken:
                self.ledger.is_taken = True
                return
            if not refused.is_space_exhausted:
                raise
            self.ledger.exhausted = True
            run_logger().info("space exhausted: every point has been tried")
            return
        await self._take(run, chain)

    async def _take(self, run: TrainingRun, chain: Chain | None = None) -> None:
        observed = await self.execution.execute(run, chain)
        if observed is None:
            return
        self.ledger.uses += uses_of(observed.training_run)
        if observed.failure is None:
            self.ledger.complete(run["name"])
        else:
            self.ledger.fail(run["name"])
            self.last_failure = f"training run {label_of(run)}: {observed.failure}"
        self._on_observed(str(run["id"]))

    async def _stop(self, error: BaseException) -> bool:
        if self._is_leaving or isinstance(error, (*UNAVAILABLE, LeaseLost, Pause)):
            return False
        try:
            self.stopped = await self.execution.stop()
        except TrialflowError as trouble:  # the error that brought us here says more
            run_logger().warning("not every training run was stopped: %s", trouble.message)
        return True
