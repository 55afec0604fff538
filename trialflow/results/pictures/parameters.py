"""How the metrics depend on the parameters: each parameter against a metric, and importances."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Experiment, Metric
from trialflow.results.facts import categories_of
from trialflow.results.pictures.figure import Picture, figure, scatter, threshold_line
from trialflow.results.pictures.labels import label, plain, slug
from trialflow.results.pictures.points import Point
from trialflow.results.pictures.themes import COLOURS, NAMES
from trialflow.results.text import counted

Json = Mapping[str, Any]


def is_logarithmic(parameter: Json) -> bool:
    """Whether a parameter is searched on a logarithmic scale."""
    return parameter.get("transformation") == "log"


def positions_of(parameter: Json, points: Sequence[Point]) -> list[float | None]:
    """Where each training run is on the axis of a parameter: its number, the place of its category; None if the parameter is not active in it."""
    values = [one.assignments.get(parameter["name"]) for one in points]
    if names := categories_of(parameter):
        places = {name: float(place) for place, name in enumerate(names)}
        return [places.get(value) if isinstance(value, str) else None for value in values]
    return [float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None for value in values]


def against(experiment: Experiment, parameter: Json, metric: Metric, points: Sequence[Point]) -> Picture:
    """A parameter against a metric, for all training runs with a value in which the parameter is active."""
    name, key = metric["name"], parameter["name"]
    places = {one.id: place for one, place in zip(points, positions_of(parameter, points), strict=True) if place is not None}
    known = [one for one in points if one.value(name) is not None and one.id in places]
    data = []
    for state in ("completed", "stopped"):
        if some := [one for one in known if one.state == state]:
            at = {"x": lambda one: places[one.id], "y": lambda one: one.values[name]}
            data.append(scatter(some, **at, state=state, name=NAMES[state], total=len(points), opacity=0.85))
    axis: dict[str, Any] = {}
    if names := categories_of(parameter):
        axis = {"tickvals": list(range(len(names))), "ticktext": [label(one, 24) for one in names], "range": [-0.5, len(names) - 0.5]}
    elif is_logarithmic(parameter):
        axis = {"type": "log"}
    threshold = metric.get("threshold")
    shapes = {"shapes": [threshold_line(threshold, "y")]} if threshold is not None else {}
    return Picture(
        name=slug(key, "against", name),
        group="against",
        title="Parameter against metric",
        choice=f"{plain(key)} against {plain(name)}",
        caption=f"{plain(name)} against {plain(key)} of {counted(len(known), 'training run')}.",
        figure=figure(data, x=label(key), y=label(name, 36), xaxis=axis, **shapes),
    )


def importances(metric: str, shares: Mapping[str, float]) -> Picture:
    """The share of each parameter in what moves a metric, largest on top."""
    ordered = sorted(shares.items(), key=lambda one: one[1])
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [share for _, share in ordered],
        "y": list(range(len(ordered))),
        "text": [f"{share:.0%}" for _, share in ordered],
        "textposition": "auto",
        "hoverinfo": "skip",
        "marker": {"color": COLOURS["completed"]},
    }
    axis = {"tickvals": list(range(len(ordered))), "ticktext": [label(name, 28) for name, _ in ordered]}
    said = ", ".join(f"{plain(name)} {share:.0%}" for name, share in reversed(ordered[-3:]))
    return Picture(
        name=slug("importances", metric),
        group="importances",
        title="Importances",
        choice=plain(metric),
        caption=f"What moves {plain(metric)}, as the optimizer's model sees it: {said}.",
        figure=figure([bar], x="share", y="", xaxis={"tickformat": ".0%", "range": [0, 1]}, yaxis=axis, margin={"l": 56, "r": 16, "t": 12, "b": 48}),
    )
