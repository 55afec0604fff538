"""The way of one training run: launch, collect, observe, and again if it was lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Protocol, TypeVar

from tasks.compute import Attempt, label_of
from tasks.context import RunContext
from tasks.experiments.launch_history import LaunchHistory
from tasks.steps import TaskChain, run_logger
from tasks.training_runs import Observed, collect, last_lines, launch, observe
from trialflow.api_types import TrainingRun
from trialflow.errors import TrialflowError
from trialflow.events import Event, tell

T = TypeVar("T")
STOPPED_BY_OTHERS = "its launcher was told to end, and not by trialflow"


class Chain(Protocol):
    """Takes the steps of one training run, one after the other. See `TaskChain`, which makes each a Prefect task."""

    async def __call__(self, step: str, label: str, call: Callable[[], Awaitable[T]], *, failure: Callable[[T], str | None] | None = None) -> T:
        """Take one step; returns or raises what `call` does."""
        ...


class Execution:
    """Executes training runs in one context, and knows which attempt of each is in flight, so that they can be stopped."""

    def __init__(self, context: RunContext, new_chain: Callable[[], Chain] = TaskChain) -> None:
        self.context = context
        self.new_chain = new_chain
        self.in_flight: dict[str, Attempt] = {}
        self.is_stopping = False
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def execute(self, run: TrainingRun, chain: Chain | None = None) -> Observed | None:
        """Take a training run to its end, launching it again for as long as it is lost. None if it was stopped: then it stays active."""
        take = chain or self.new_chain()
        history, context, label = LaunchHistory.of(run), self.context, label_of(run)
        first = history.attempt
        while not self.is_stopping:
            attempt = context.attempt(run, history.attempt)
            self.in_flight[attempt.training_run_id] = attempt
            if history.stopped_early is None:
                await take("launch", label, lambda attempt=attempt: launch(context, attempt))
                if self.is_stopping:  # whoever stops what is in flight may have come too early for this one
                    await context.compute.stop(attempt)
            ended = await take("collect", label, lambda attempt=attempt, history=history: collect(context, attempt, history))
            # A flow before may have stopped the first attempt. A later one was launched here: if we did not stop it, it was perhaps its own model,
            # which would do so again and again.
            if ended.stopped and attempt.number > first and not self.is_stopping:
                ended = replace(ended, stopped=False, lost=STOPPED_BY_OTHERS)
            observed = await take(
                "observe",
                label,
                lambda attempt=attempt, history=history, ended=ended: observe(context, attempt, ended, history),
                failure=lambda observed: observed.failure,
            )
            del self.in_flight[attempt.training_run_id]
            await context.compute.discard(attempt)
            outcome, seen = observed.outcome, observed.training_run
            if outcome.kind != "lost":
                text = outcome.reason and f"{outcome.reason}\n{last_lines(context, attempt)}" if outcome.kind == "failed" else outcome.reason
                tell(Event(outcome.kind, seen, text, {"values": seen.get("values") or {}}))
                return observed
            if not ended.stopped:
                tell(Event("lost", seen, outcome.reason))
            reason = outcome.reason or "lost"
            history = history.after_loss(reason, counts=not ended.stopped, checkpoints=int(seen.get("checkpoint_count") or 0))
        return None

    async def stop(self) -> int:
        """Stop every attempt in flight; their training runs stay active and are launched again by the next flow. Returns how many there were."""
        self.is_stopping = True
        attempts = list(self.in_flight.values())
        await asyncio.gather(*(self.context.compute.stop(attempt) for attempt in attempts))
        return len(attempts)

    def end(self, training_runs: Collection[str]) -> None:
        """Stop the attempts of these training runs, as far as they are in flight: somebody has ended them in the service, which `observe` finds."""
        for identifier in training_runs:
            attempt = self.in_flight.get(identifier)
            if attempt is not None and identifier not in self._ending:
                self._ending[identifier] = asyncio.create_task(self._end(attempt), name=f"end-{identifier}")

    async def _end(self, attempt: Attempt) -> None:
        try:
            await self.context.compute.stop(attempt)
        except TrialflowError as error:
            run_logger().warning("training run %s could not be stopped, which is tried again: %s", attempt.training_run_id, error.message)
        finally:
            del self._ending[attempt.training_run_id]
