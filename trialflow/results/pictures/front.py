"""Two optimized metrics against each other, with the Pareto front and the thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from trialflow.api_types import Experiment, Metric
from trialflow.results.pictures.figure import Picture, figure, scatter, threshold_line
from trialflow.results.pictures.labels import label, plain
from trialflow.results.pictures.points import Point, optimized_metrics
from trialflow.results.pictures.themes import COLOURS
from trialflow.results.ranking import best_of, is_within
from trialflow.results.text import counted

Json = Mapping[str, Any]
AXES: tuple[Literal["x", "y"], ...] = ("x", "y")


def front_of(experiment: Experiment, points: Sequence[Point]) -> list[Point]:
    """The points that no other one beats in both metrics, of those that keep every threshold; best first in the first metric."""
    known = [(one, one.values) for one in reversed(points) if one.has_result]
    return best_of(experiment["metrics"], known)


def front(experiment: Experiment, points: Sequence[Point]) -> Picture:
    """The picture, for an experiment that optimizes two metrics."""
    both = optimized_metrics(experiment)
    first, second = (one["name"] for one in both)
    known = [one for one in points if one.value(first) is not None and one.value(second) is not None]
    on_front = front_of(experiment, points)
    kept = {one.id for one in on_front}
    within = [one for one in known if one.id not in kept and is_within(experiment["metrics"], one.values)]
    beyond = [one for one in known if one.id not in kept and not is_within(experiment["metrics"], one.values)]
    places = (lambda one: one.values[first], lambda one: one.values[second])
    data = [
        scatter(some, *places, state=state, name=name, total=len(known))
        for some, state, name in ((beyond, "active", "beyond a threshold"), (within, "completed", "beaten by another"))
        if some
    ]
    if on_front:
        line = {"color": COLOURS["best"], "width": 2, "shape": "hv"}
        marker = {"size": 10}
        data.append(scatter(on_front, *places, state="best", name="Pareto front", total=0, marker=marker, mode="lines+markers", line=line))
    shapes = [threshold_line(limit, axis) for one, axis in zip(both, AXES, strict=True) if (limit := one.get("threshold")) is not None]
    counts = f"{len(on_front)} on the Pareto front, {len(beyond)} beyond a threshold"
    said = f"{plain(second)} against {plain(first)} of {counted(len(known), 'training run')}; {counts}."
    return Picture(
        name="pareto-front",
        group="front",
        title="Pareto front",
        choice="",
        caption=said,
        figure=figure(data, x=_title(both[0]), y=_title(both[1]), shapes=shapes),
    )


def _title(metric: Metric) -> str:
    better = "lower is better" if metric.get("objective") == "minimize" else "higher is better"
    return f"{label(metric['name'], 30)} ({better})"
