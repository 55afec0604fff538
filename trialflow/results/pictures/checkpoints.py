"""The curves of training runs over their checkpoints; those that were stopped early end in a square."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.metrics import value_at
from trialflow.results.pictures.figure import Picture, figure
from trialflow.results.pictures.labels import label, plain, slug
from trialflow.results.pictures.points import Point
from trialflow.results.pictures.themes import COLOURS, NAMES, SYMBOLS
from trialflow.results.text import counted

Json = Mapping[str, Any]
MOST_TICKS = 10
MOST_CURVES = 100
"""The newest training runs with checkpoints that are drawn; the caption says how many there are."""


def checkpoint_metrics(checkpoints: Mapping[int, Sequence[Json]]) -> list[str]:
    """The metrics that some checkpoint has, in alphabetical order."""
    return sorted({str(one["name"]) for some in checkpoints.values() for checkpoint in some for one in checkpoint.get("values") or ()})


def curves(metric: str, points: Sequence[Point], checkpoints: Mapping[int, Sequence[Json]], *, total: int | None = None) -> Picture:
    """A curve for each training run; `checkpoints` are by its id, oldest first. `total` says how many have some, if not all are given."""
    data: list[dict[str, Any]] = []
    ends: dict[str, list[tuple[int, float, Point]]] = {}
    by_state: dict[str, tuple[list[Any], list[Any], list[Any], list[Any]]] = {}
    count = 0
    for one in points:
        values = [value_at(checkpoint, metric) for checkpoint in checkpoints.get(one.id, ())]
        known = [(place, value) for place, value in enumerate(values, 1) if value is not None]
        if not known:
            continue
        count += 1
        x, y, text, ids = by_state.setdefault(one.state, ([], [], [], []))
        x += [*(place for place, _ in known), None]
        y += [*(value for _, value in known), None]
        text += [one.hover] * (len(known) + 1)
        ids += [one.id] * (len(known) + 1)
        if one.state != "completed":
            ends.setdefault(one.state, []).append((*known[-1], one))
    for state, (x, y, text, ids) in by_state.items():
        line = {"color": COLOURS[state], "width": 1.5, "dash": "dot" if state == "failed" else "solid"}
        trace = {"type": "scatter", "mode": "lines", "name": NAMES[state], "x": x[:-1], "y": y[:-1], "line": line, "opacity": 0.7}
        data.append(trace | {"text": text[:-1], "customdata": ids[:-1], "hoverinfo": "text", "legendgroup": state})
    for state, some in ends.items():
        marker = {"color": COLOURS[state], "symbol": SYMBOLS[state], "size": 8}
        trace = {"type": "scatter", "mode": "markers", "x": [one[0] for one in some], "y": [one[1] for one in some], "marker": marker}
        said = {"text": [one[2].hover for one in some], "customdata": [one[2].id for one in some], "hoverinfo": "text"}
        data.append(trace | said | {"name": NAMES[state], "legendgroup": state, "showlegend": False})
    of_all = f" of {total}; the newest are shown" if total is not None and total > count else ""
    stopped = len(ends.get("stopped", ()))
    longest = max((place for x, *_ in by_state.values() for place in x if place is not None), default=0)
    early = f"; {stopped} of them {'was' if stopped == 1 else 'were'} stopped early" if stopped else ""
    return Picture(
        name=slug("checkpoints", metric),
        group="checkpoints",
        title="Checkpoints",
        choice=plain(metric),
        caption=f"{plain(metric)} over the checkpoints of {counted(count, 'training run')}{of_all}{early}.",
        figure=figure(data, x="checkpoint", y=label(metric, 36), xaxis={"dtick": 1} if longest <= MOST_TICKS else {}),
    )
