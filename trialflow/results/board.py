"""What the table of a running experiment shows, computed from the flow's events. Pure: the clock is passed in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trialflow.api_types import Experiment, Metric, TrainingRun
from trialflow.events import Event
from trialflow.metrics import values_of
from trialflow.results.best import is_better
from trialflow.results.ranking import optimized
from trialflow.results.spending import NodeUse, spent, uses_of
from trialflow.results.text import progress, text_of
from trialflow.specs import early_stopping_of


@dataclass(frozen=True)
class Best:
    """The best training run so far, with its metrics as plain numbers."""

    id: str
    values: Mapping[str, float]
    assignments: Mapping[str, Any]


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
    metrics: tuple[Metric, ...] = ()
    best: Best | None = None
    running: dict[str, tuple[TrainingRun, float]] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)
    uses: list[NodeUse] = field(default_factory=list)

    def end(self, *, is_finished: bool) -> None:
        """Work on it has ended."""
        self.status = "finished" if is_finished else "stopped"
        self.running.clear()

    def take(self, event: Event, now: float) -> None:
        """Take in one event."""
        if event.kind in ("completed", "failed", "lost") and event.run:
            self.uses += uses_of(event.run)
        if event.kind == "experiment":
            self.uses = list(event.facts.get("uses") or [])
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

    def in_flight(self, runs: Iterable[TrainingRun], now: float) -> None:
        """Exactly these training runs are in flight; one that is known keeps the time since when."""
        self.running = {str(run["id"]): self.running.get(str(run["id"]), (run, now)) for run in runs}
        if self.running:
            self.status = "running"

    @property
    def eta(self) -> float | None:
        """Seconds until the budget is spent at the pace so far; None while that cannot be known."""
        if self.budget is None or not self.durations:
            return None
        return (self.budget - self.done) * (sum(self.durations) / len(self.durations)) / max(1, self.bandwidth)

    @property
    def cost(self) -> float | None:
        """Dollars for the nodes of training runs that have ended; None if that is not known."""
        return spent(self.uses)

    @property
    def progress(self) -> str:
        """Training runs done of the budget, as `7/20`."""
        return progress(self.done, self.budget)

    def _begin(self, experiment: Experiment, best: Sequence[TrainingRun], tally: Mapping[str, int]) -> None:
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

    def _compare(self, run: TrainingRun, values: Mapping[str, float]) -> None:
        if len(optimized(self.metrics)) == 1 and is_better(self.metrics, values, self.best and self.best.values):
            self.best = Best(run["id"], values, run.get("assignments") or {})


def line_of(event: Event, board: Board) -> str | None:
    """One line for an event; None for events that need none."""
    if event.kind in ("waiting", "warning"):
        return f"{event.kind}: {event.text}"
    if event.kind == "verdict":
        return event.text
    if event.kind == "pending" and event.run:
        return f"training run {event.run['id']} pending: {event.text}"
    if event.run is None or event.kind not in ("completed", "failed", "lost"):
        return None
    count = board.progress
    if event.kind == "completed":
        how = f"stopped early ({event.text})" if event.text else "completed"
        return f"{count} training run {event.run['id']} {how}: {text_of(values_of(event.facts))} with {text_of(event.run.get('assignments') or {})}"
    if event.kind == "lost":
        return f"{count} training run {event.run['id']} lost ({event.text}); launching it again"
    return f"{count} training run {event.run['id']} failed: {event.text}"


def begin_line(event: Event) -> str | None:
    """What is said when work on an experiment begins; None for other events."""
    if event.kind != "experiment":
        return None
    experiment = event.facts["experiment"]
    done = int(experiment["progress"].get("finished_run_count") or 0)
    named, at = f'experiment {experiment["id"]} "{experiment["name"]}"', f"at {progress(done, experiment.get('budget'))}"
    if event.facts["resumed"] == "join":
        return f"joining {named} {at}"
    return f"{named} resumes {at}" if event.facts["resumed"] == "resume" else f"{named} is new"
