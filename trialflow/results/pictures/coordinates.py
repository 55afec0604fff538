"""Parallel coordinates: a line through the parameters and metrics of each training run that has a result.

Lines of similar values are one trace, so a browser draws thousands of them quickly, without WebGL. `draw.js` lets people drag along an axis.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialflow.api_types import Experiment
from trialflow.results.facts import categories_of
from trialflow.results.pictures.figure import Picture, figure
from trialflow.results.pictures.labels import label, plain
from trialflow.results.pictures.parameters import is_logarithmic, positions_of
from trialflow.results.pictures.points import Point, optimized_metrics, shown_metrics
from trialflow.results.pictures.themes import SCALE, colour_at
from trialflow.results.text import counted, text_of

Json = Mapping[str, Any]
MOST_AXES = 20
"""Parameters that are shown; more cannot be told apart."""
BANDS = 12
"""Colours of the lines, from the lowest value to the highest."""
MOST_LINES = 2000
"""Of more than so many, lines at even steps from the lowest value to the highest are drawn: more would cover each other, and take seconds."""
FEW = 300
"""Up to so many lines, all of a training run is said when one points at it."""
ABSENT = "not active"
ROOM = 0.12
"""Below the lowest value of a parameter, for training runs in which it is not active."""


@dataclass(frozen=True)
class Axis:
    """One axis: `heights` are the places of the training runs on it, from 0 to 1; `ticks` places with their texts."""

    title: str
    heights: list[float]
    ticks: list[tuple[float, str]]


def parallel_coordinates(experiment: Experiment, points: Sequence[Point]) -> Picture:
    """The picture, coloured by the first metric that is optimized."""
    metrics = [one["name"] for one in shown_metrics(experiment)]
    first = next((one["name"] for one in optimized_metrics(experiment)), metrics[0] if metrics else None)
    known = [one for one in points if first is not None and one.value(first) is not None]
    count = len(known)
    if first is not None and count > MOST_LINES:
        ranked = sorted(known, key=lambda one: (one.values[first], one.id))
        known = [ranked[round(place * (count - 1) / (MOST_LINES - 1))] for place in range(MOST_LINES)]
    parameters = experiment["parameters"][:MOST_AXES]
    left_out = len(experiment["parameters"]) - len(parameters)
    more = f" {left_out} more parameters are not shown." if left_out > 0 else ""
    every = counted(count, "training run")
    said = f"{every} with a result" if count == len(known) else f"{len(known)} of {every} with a result, at even steps from the lowest to the highest"
    shown: dict[str, Any] = figure([])
    if known and first is not None:
        axes = [_parameter_axis(one, known) for one in parameters]
        axes += [_metric_axis(name, known) for name in metrics if any(name in one.values for one in known)]
        shown = _figure(axes, known, [one.values[first] for one in known], label(first, 30))
    return Picture(
        name="parallel-coordinates",
        group="coordinates",
        title="Parallel coordinates",
        choice="",
        caption=f"Parameters and metrics of {said}, coloured by {plain(first or '')}.{more}",
        figure=shown,
    )


def _parameter_axis(parameter: Json, points: Sequence[Point]) -> Axis:
    places = positions_of(parameter, points)
    title, names = label(parameter["name"], 24), categories_of(parameter)
    if names:
        ticks = [(float(index), label(name, 18)) for index, name in enumerate(names)]
        return _axis(title, places, ticks, 0.0, max(1.0, len(names) - 1.0))
    if is_logarithmic(parameter):
        places = [None if one is None else math.log10(one) for one in places]
    known = [one for one in places if one is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    marks = [low + (high - low) * step / 4 for step in range(5)] if high > low else [low]
    return _axis(title, places, [(one, _number(10**one if is_logarithmic(parameter) else one)) for one in marks], low, high)


def _metric_axis(name: str, points: Sequence[Point]) -> Axis:
    places = [one.values.get(name) for one in points]
    known = [one for one in places if one is not None]
    low, high = min(known), max(known)
    marks = [low + (high - low) * step / 4 for step in range(5)] if high > low else [low]
    return _axis(f"<b>{label(name, 24)}</b>", places, [(one, _number(one)) for one in marks], low, high)


def _axis(title: str, places: Sequence[float | None], ticks: list[tuple[float, str]], low: float, high: float) -> Axis:
    has_absent = any(one is None for one in places)
    base, span = (ROOM if has_absent else 0.0), high - low

    def height(place: float) -> float:
        return base + (1 - base) * ((place - low) / span if span > 0 else 0.5)

    marks = [(height(place), text) for place, text in ticks]
    heights = [0.0 if one is None else round(height(one), 4) for one in places]
    return Axis(title, heights, [(0.0, ABSENT), *marks] if has_absent else marks)


def _figure(axes: Sequence[Axis], points: Sequence[Point], values: Sequence[float], title: str) -> dict[str, Any]:
    low, high = min(values), max(values)
    bands: dict[int, list[int]] = {}
    for index, value in enumerate(values):
        bands.setdefault(min(BANDS - 1, int(BANDS * (value - low) / (high - low))) if high > low else BANDS - 1, []).append(index)
    data = [_lines(axes, points, bands[band], colour_at((band + 0.5) / BANDS)) for band in sorted(bands)]
    bar = {"thickness": 12, "title": {"text": title, "side": "right"}, "x": 1.02}
    marker = {"color": [low, high], "colorscale": SCALE, "showscale": True, "colorbar": bar, "opacity": 0}
    data.append({"type": "scatter", "mode": "markers", "x": [0, 0], "y": [0, 0], "marker": marker, "hoverinfo": "skip", "showlegend": False})
    ticks = [
        {"x": place, "y": height, "text": text, "showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 10}, "opacity": 0.9}
        for place, axis in enumerate(axes)
        for height, text in axis.ticks
    ]
    lines = [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": {"color": "#8a8f98", "width": 1.5}} for at in range(len(axes))]
    names = {"tickvals": list(range(len(axes))), "ticktext": [axis.title for axis in axes], "side": "top", "range": [-0.15, len(axes) - 0.6]}
    hidden = {"showgrid": False, "zeroline": False, "showline": False}
    return figure(
        data,
        xaxis={**names, **hidden, "fixedrange": True},
        yaxis={"visible": False, "range": [-0.04, 1.04], "fixedrange": True},
        annotations=ticks,
        shapes=lines,
        dragmode=False,
        showlegend=False,
        margin={"l": 24, "r": 24, "t": 44, "b": 12},
        meta={"axes": len(axes)},
    )


def _lines(axes: Sequence[Axis], points: Sequence[Point], some: Sequence[int], colour: str) -> dict[str, Any]:
    x: list[int | None] = []
    y: list[float | None] = []
    ids: list[int] = []
    text: list[str] = []
    for index in some:
        x += [*range(len(axes)), None]
        y += [*(axis.heights[index] for axis in axes), None]
        ids += [points[index].id] * (len(axes) + 1)
        if len(points) <= FEW:
            text += [points[index].hover] * (len(axes) + 1)
    trace = {"type": "scatter", "mode": "lines", "x": x, "y": y, "customdata": ids, "line": {"color": colour, "width": 1.3, "simplify": False}}
    return {**trace, "opacity": 0.75, "showlegend": False, **({"text": text, "hoverinfo": "text"} if text else {"hoverinfo": "skip"})}


def _number(value: float) -> str:
    return text_of(float(f"{value:.3g}"))
