"""The way of one training run: launch, collect, observe, and again if it was lost."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tasks.compute import Attempt
from tasks.experiments.launch_history import LaunchHistory
from tasks.outcome import Outcome
from tasks.training_runs import Bench, collect, last_lines, launch, observe
from trialflow.events import Event, tell


class Execution:
    """Executes training runs on one bench and knows which attempt of each is in flight, so that a stop can end them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.in_flight: dict[str, Attempt] = {}

    async def execute(self, run: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        """Take a training run to its end, launching it again for as long as it is lost. Returns its outcome and its JSON."""
        history = LaunchHistory.of(run)
        name = str(run["name"])
        while True:
            attempt = self.bench.attempt(run, history.attempt)
            self.in_flight[attempt.training_run_id] = attempt
            if history.stopped_early is None:
                await launch(name, self.bench, attempt)
            ended = await collect(name, self.bench, attempt, history)
            outcome, seen = await observe(name, self.bench, attempt, ended, history)
            del self.in_flight[attempt.training_run_id]
            await self.bench.compute.discard(attempt)
            if outcome.kind != "lost":
                text = outcome.reason and f"{outcome.reason}\n{last_lines(self.bench, attempt)}" if outcome.kind == "failed" else outcome.reason
                tell(Event(outcome.kind, seen, text, {"values": seen.get("values") or {}}))
                return outcome, seen
            if not ended.stopped:
                tell(Event("lost", seen, outcome.reason))
            reason = outcome.reason or "lost"
            history = history.after_loss(reason, counts=not ended.stopped, checkpoints=int(seen.get("checkpoint_count") or 0))

    async def stop(self) -> int:
        """End every attempt in flight; their training runs stay active and are launched again by the next flow. Returns how many."""
        attempts = list(self.in_flight.values())
        await asyncio.gather(*(self.bench.compute.stop(attempt) for attempt in attempts))
        return len(attempts)
