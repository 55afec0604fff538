"""What the table of a running experiment shows, computed from the flow's events. Pure: the clock is passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trialflow.events import Event
from trialflow.metrics import values_of
from trialflow.results.best import is_better
from trialflow.results.ranking import optimized
from trialflow.results.text import progress
from trialflow.specs import early_stopping_of


@dataclass
class Board:
    """The state of one experiment as its events tell it; `now` in `take` is seconds of any clock. `stops`: the experiment asks for early stopping."""

    name: str = ""
    experiment_id: str = ""
    budget: int | None = None
    bandwidth: int = 1
    done: int = 0
    lost: int = 0
    failed: int = 0
    stopped: int = 0
    stops: bool = False
    status: str = "starting"
    metrics: tuple[Mapping[str, Any], ...] = ()
    best: Mapping[str, Any] | None = None
    running: dict[str, tuple[Mapping[str, Any], float]] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)

    def end(self, *, is_finished: bool) -> None:
        """Work on it has ended."""
        self.status = "finished" if is_finished else "stopped"
        self.running.clear()

    def take(self, event: Event, now: float) -> None:
        """Take in one event."""
        if event.kind == "experiment":
            self._begin(event.facts["experiment"], event.facts.get("best") or [], event.facts.get("tally") or {})
        elif event.kind == "launched" and event.run:
            self.running[str(event.run["id"])] = (event.run, now)
            self.status = "running"
        elif event.kind == "lost":
            self.lost += 1
        elif event.kind in ("waiting", "pending"):
            self.status = event.kind
        elif event.kind in ("completed", "failed") and event.run:
            self._end(event, now)

    @property
    def eta(self) -> float | None:
        """Seconds until the budget is spent at the pace so far; None while that cannot be known."""
        if self.budget is None or not self.durations:
            return None
        return (self.budget - self.done) * (sum(self.durations) / len(self.durations)) / max(1, self.bandwidth)

    @property
    def progress(self) -> str:
        """Training runs done of the budget, as `7/20`."""
        return progress(self.done, self.budget)

    def _begin(self, experiment: Mapping[str, Any], best: Sequence[Mapping[str, Any]], tally: Mapping[str, int]) -> None:
        self.name = experiment["name"]
        self.experiment_id = str(experiment["id"])
        self.budget = experiment.get("budget")
        self.bandwidth = int(experiment.get("parallel_bandwidth") or 1)
        self.done = int(experiment["progress"].get("finished_run_count") or 0)
        self.failed, self.stopped, self.lost = (tally.get(name, 0) for name in ("failed", "stopped", "lost"))
        self.metrics = tuple(experiment["metrics"])
        self.stops = early_stopping_of(experiment.get("metadata")) is not None
        if best:
            self._compare(best[0], values_of(best[0]))

    def _end(self, event: Event, now: float) -> None:
        assert event.run is not None
        self.done += 1
        self.status = "running"
        _, since = self.running.pop(str(event.run["id"]), (None, None))
        if event.kind == "failed":
            self.failed += 1
            return
        self.stopped += event.text is not None
        if since is not None:
            self.durations.append(now - since)
        self._compare(event.run, values_of(event.facts))

    def _compare(self, run: Mapping[str, Any], values: Mapping[str, float]) -> None:
        if len(optimized(self.metrics)) == 1 and is_better(self.metrics, values, self.best and self.best["values"]):
            self.best = {"id": run["id"], "values": values, "assignments": run.get("assignments") or {}}
