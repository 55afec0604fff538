"""How the metrics depend on the parameters: parallel coordinates, each parameter against a metric, and importances."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.results.pictures.figure import Picture, figure, scatter, threshold_line
from trialflow.results.pictures.labels import label, slug
from trialflow.results.pictures.points import Point, optimized_metrics, shown_metrics
from trialflow.results.pictures.themes import COLOURS, NAMES

Json = Mapping[str, Any]
MOST_AXES = 20
"""Parameters that parallel coordinates show; more cannot be told apart."""
ABSENT = "not active"


def categories_of(parameter: Json) -> list[str]:
    """The values of a categorical parameter, in their order; none if it is a number."""
    return [str(one["name"]) for one in parameter.get("categorical_values") or []]


def is_logarithmic(parameter: Json) -> bool:
    """Whether a parameter is searched on a logarithmic scale."""
    return parameter.get("transformation") == "log"


def place_of(parameter: Json, assignments: Mapping[str, Any]) -> float | None:
    """Where a training run is on the axis of a parameter: its number, the place of its category; None if the parameter is not active in it."""
    value = assignments.get(parameter["name"])
    if names := categories_of(parameter):
        return float(names.index(value)) if value in names else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def parallel_coordinates(experiment: Json, points: Sequence[Point]) -> Picture:
    """A line through the parameters and metrics of each training run that has a result. Drag along an axis to see a part of them."""
    metrics = [one["name"] for one in shown_metrics(experiment)]
    first = next((one["name"] for one in optimized_metrics(experiment)), metrics[0] if metrics else None)
    known = [one for one in points if one.has_result and first is not None and first in one.values]
    parameters = experiment["parameters"][:MOST_AXES]
    dimensions = [_dimension(parameter, known) for parameter in parameters]
    for name in metrics:
        if values := [one.values[name] for one in known if name in one.values]:
            low = min(values)
            dimensions.append({"label": label(name, 24), "values": [one.values.get(name, low) for one in known]})
    colours = [one.values[first] for one in known] if first else []
    trace = {"type": "parcoords", "dimensions": dimensions, "line": {"color": colours, "showscale": True, "colorbar": {"thickness": 12}}}
    left_out = len(experiment["parameters"]) - len(parameters)
    more = f"; {left_out} more parameters are not shown" if left_out > 0 else ""
    return Picture(
        name="parallel-coordinates",
        group="coordinates",
        title="Parallel coordinates",
        choice="",
        caption=f"Parameters and metrics of {len(known)} training runs with a result, coloured by {first}{more}. Drag along an axis to select.",
        figure=figure([trace] if known else [], margin={"l": 60, "r": 60, "t": 56, "b": 28}),
    )


def _dimension(parameter: Json, points: Sequence[Point]) -> dict[str, Any]:
    """An axis. A parameter that is not active in some training runs has a place below its values for them."""
    shown: dict[str, Any] = {"label": label(parameter["name"], 24)}
    places = [place_of(parameter, one.assignments) for one in points]
    known = [one for one in places if one is not None]
    names = categories_of(parameter)
    if not names and is_logarithmic(parameter):
        known, places = [math.log10(one) for one in known], [None if one is None else math.log10(one) for one in places]
    low, high = (0.0, len(names) - 1.0) if names else (min(known, default=0.0), max(known, default=1.0))
    absent = low - max(high - low, 1e-9) * 0.15 if not names else -1.0
    ticks = [(float(index), label(name, 18)) for index, name in enumerate(names)]
    if not names and (is_logarithmic(parameter) or len(known) < len(places)):
        ticks = [(one, f"{10**one if is_logarithmic(parameter) else one:.3g}") for one in (low + (high - low) * step / 4 for step in range(5))]
    if len(known) < len(places):
        ticks.append((absent, ABSENT))
    if ticks:
        shown |= {"tickvals": [place for place, _ in ticks], "ticktext": [text for _, text in ticks]}
    return {**shown, "values": [absent if one is None else one for one in places]}


def against(experiment: Json, parameter: Json, metric: Json, points: Sequence[Point]) -> Picture:
    """A parameter against a metric, for all training runs with a value in which the parameter is active."""
    name, key = metric["name"], parameter["name"]
    places = {one.id: place for one in points if (place := place_of(parameter, one.assignments)) is not None}
    known = [one for one in points if one.value(name) is not None and one.id in places]
    data = []
    for state in ("completed", "stopped"):
        if some := [one for one in known if one.state == state]:
            at = {"x": lambda one: places[one.id], "y": lambda one: one.values[name]}
            data.append(scatter(some, **at, state=state, name=NAMES[state], total=len(points), opacity=0.75))
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
        choice=f"{key} against {name}",
        caption=f"{name} against {key} of {len(known)} training runs.",
        figure=figure(data, x=label(key), y=label(name), xaxis=axis, **shapes),
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
    said = ", ".join(f"{name} {share:.0%}" for name, share in reversed(ordered[-3:]))
    return Picture(
        name=slug("importances", metric),
        group="importances",
        title="Importances",
        choice=metric,
        caption=f"What moves {metric}, as the optimizer's model sees it: {said}.",
        figure=figure([bar], x="share", y="", xaxis={"tickformat": ".0%", "range": [0, 1]}, yaxis=axis, margin={"l": 56, "r": 16, "t": 12, "b": 48}),
    )
