"""Training runs as the points of pictures: numbered, each with its state, its values and what is said when one points at it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trialflow.api_types import Experiment, Metric, TrainingRun
from trialflow.metadata_keys import REASON
from trialflow.metrics import values_of
from trialflow.results.facts import lost_of, state_of, stopped_early
from trialflow.results.pictures.labels import label
from trialflow.results.ranking import gain, is_within, optimized

Json = Mapping[str, Any]
STATES = ("completed", "stopped", "failed", "active")
MOST_HOVER = 12
"""Parameters that are named when one points at a training run."""


@dataclass(frozen=True)
class Point:
    """One training run: the `number`th of its experiment. `state` is the API's, or `stopped` for one that was stopped early."""

    id: int
    number: int
    state: str
    lost: int
    values: Mapping[str, float]
    assignments: Mapping[str, Any]
    created: float
    completed: float | None
    reason: str | None

    @property
    def has_result(self) -> bool:
        """Whether its values count: it completed, perhaps because it was stopped early."""
        return self.state in ("completed", "stopped")

    def value(self, metric: str) -> float | None:
        """The value of a metric that counts."""
        return self.values.get(metric) if self.has_result else None

    @property
    def brief(self) -> str:
        """Which one it is, where there are too many to say more of each."""
        times = f", lost {self.lost} time{'s' if self.lost > 1 else ''}" if self.lost else ""
        return f"<b>training run {self.id}</b>: {self.state}{times}"

    @cached_property
    def hover(self) -> str:
        """What is said of it when one points at it."""
        lines = [self.brief]
        lines += [f"{label(name)} = {label(value)}" for name, value in self.values.items()]
        lines += [f"<i>{label(name)}</i> = {label(value)}" for name, value in list(self.assignments.items())[:MOST_HOVER]]
        return "<br>".join([*lines, *([label(self.reason)] if self.reason and self.state != "completed" else [])])


def points_of(runs: Iterable[TrainingRun]) -> list[Point]:
    """Training runs as points, in the order of their ids."""
    ordered = sorted(runs, key=lambda run: int(run["id"]))
    return [
        Point(
            id=int(run["id"]),
            number=number,
            state=state_of(run),
            lost=lost_of([run]),
            values=values_of(run),
            assignments=run.get("assignments") or {},
            created=run.get("created") or 0,
            completed=run.get("completed"),
            reason=_text(stopped_early(run) or (run.get("dev_metadata") or {}).get(REASON)),
        )
        for number, run in enumerate(ordered, 1)
    ]


def running_best(metrics: Sequence[Metric], metric: Metric, points: Iterable[Point]) -> list[Point]:
    """Those of `points`, in their order, that were the best in `metric` when they came, of all that keep every threshold."""
    found: list[Point] = []
    for one in points:
        if one.value(metric["name"]) is None or not is_within(metrics, one.values):
            continue
        if not found or gain(metric, one.values) > gain(metric, found[-1].values):
            found.append(one)
    return found


def shown_metrics(experiment: Experiment) -> list[Metric]:
    """The metrics of an experiment: those that are optimized first, then constraints, then stored ones."""
    order = {"optimize": 0, None: 0, "constraint": 1, "store": 2}
    return sorted((one for one in experiment["metrics"] if one.get("name")), key=lambda one: order.get(one.get("strategy"), 3))


def optimized_metrics(experiment: Experiment) -> list[Metric]:
    """The metrics that an experiment optimizes."""
    return [one for one in optimized(experiment["metrics"]) if one.get("name")]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
