"""The best so far, over training runs and over time; and all training runs in their order, told apart by what became of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from trialflow.api_types import Experiment, Metric
from trialflow.results.pictures.figure import Picture, figure, scatter, threshold_line
from trialflow.results.pictures.labels import label, plain, slug
from trialflow.results.pictures.points import Point, running_best
from trialflow.results.pictures.themes import COLOURS, CURVES, DASHES, NAMES
from trialflow.results.text import counted, text_of

Json = Mapping[str, Any]
By = Literal["training runs", "time"]
ROW = 0.085
"""The share of the height that a row of training runs without a value takes, below the history."""


def moment(seconds: float) -> str:
    """A time as plotly's date axes take it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def best_so_far(experiment: Experiment, metric: Metric, points: Sequence[Point], by: By) -> Picture:
    """The best value of a metric as the experiment went on, of training runs that keep every threshold."""
    name = metric["name"]
    ended = [one for one in points if one.value(name) is not None]
    if by == "time":
        ended.sort(key=lambda one: (one.completed or 0, one.id))
    steps = running_best(experiment["metrics"], metric, ended)

    def place(one: Point) -> Any:
        return moment(one.completed or one.created) if by == "time" else one.number

    line = [*steps, *([ended[-1]] if steps and ended[-1] is not steps[-1] else [])]
    reached = [one.values[name] for one in steps]
    data = [
        scatter(ended, place, lambda one: one.values[name], state="completed", name="training runs", total=len(ended), opacity=0.5),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [place(one) for one in line],
            "y": [*reached, *reached[-1:]][: len(line)],
            "line": {"shape": "hv", "width": 3, "color": COLOURS["best"]},
            "hoverinfo": "skip",
        },
        scatter(steps, place, lambda one: one.values[name], state="best", name="improvements", total=0, showlegend=False),
    ]
    best = f"the best is {text_of(float(reached[-1]))}, of training run {steps[-1].id}" if steps else "none has counted yet"
    return Picture(
        name=slug("best", by, name),
        group="best",
        title="Best so far",
        choice=f"{plain(name)}, over {by}",
        caption=f"{plain(name)} of {counted(len(ended), 'training run')} with a result, over {by}; {best}.",
        figure=figure(data, x="time (UTC)" if by == "time" else "training run", y=label(name, 36), **_shapes(metric), **_dates(by)),
    )


def history(metric: Metric, points: Sequence[Point]) -> Picture:
    """All training runs in their order. Those without a value are in a strip below; a diamond is around each that was lost on the way."""
    name = metric["name"]
    valued, bare = [one for one in points if one.value(name) is not None], [one for one in points if one.value(name) is None]
    rows = [state for state in NAMES if any(one.state == state for one in bare)]
    data = []
    for some, axis, height in ((valued, "y", lambda one: one.values[name]), (bare, "y2", lambda one: rows.index(one.state))):
        for state in NAMES:
            in_state = [one for one in some if one.state == state]
            data.append(scatter(in_state, _number, height, state=state, name=NAMES[state], total=len(points), yaxis=axis))
        lost, ring = [one for one in some if one.lost], {"size": 13, "line": {"width": 2}}
        data.append(scatter(lost, _number, height, state="lost", name="lost and launched again", total=len(points), yaxis=axis, marker=ring))
    seen: set[str] = set()
    data = [trace for trace in data if trace["x"]]
    for trace in data:
        trace |= {"legendgroup": trace["name"], "showlegend": trace["name"] not in seen}
        seen.add(trace["name"])
    counts = {state: sum(one.state == state for one in points) for state in NAMES}
    times = sum(one.lost for one in points)
    texts = [NAMES[state] if state in ("failed", "active") else f"{NAMES[state]}, no value" for state in rows]
    below = {"domain": [0, ROW * len(rows)], "tickvals": list(range(len(rows))), "ticktext": texts, "range": [-0.7, len(rows) - 0.3]}
    shown = figure(
        data,
        x="training run",
        y=label(name, 36),
        xaxis={"anchor": "y2" if rows else "y"},
        yaxis={"domain": [ROW * len(rows) + 0.03 if rows else 0, 1]},
        **_shapes(metric),
        **({"yaxis2": {**below, "fixedrange": True, "showgrid": False, "zeroline": False, "automargin": True}} if rows else {}),
    )
    said = ", ".join(f"{count} {NAMES[state]}" for state, count in counts.items() if count)
    return Picture(
        name=slug("history", name),
        group="history",
        title="History",
        choice=plain(name),
        caption=f"{plain(name)} of each training run in its order: {said or 'none yet'}; {times} lost and launched again.",
        figure=shown,
    )


def compared(experiments: Sequence[tuple[Json, Sequence[Point]]], name: str, by: By) -> Picture:
    """The best so far of several experiments that have a metric of this name; over the time since each began."""
    data = []
    for (experiment, points), colour, dash in zip(experiments, CURVES, DASHES, strict=False):
        metric = next((one for one in experiment["metrics"] if one.get("name") == name), None)
        ended = [one for one in points if one.value(name) is not None]
        if metric is None or not ended:
            continue
        if by == "time":
            ended.sort(key=lambda one: (one.completed or 0, one.id))
        begin = min(one.created for one in points)
        steps = running_best(experiment["metrics"], metric, ended)
        line = [*steps, *([ended[-1]] if steps and ended[-1] is not steps[-1] else [])]
        reached = [one.values[name] for one in steps]
        x = [((one.completed or one.created) - begin) / 60 if by == "time" else one.number for one in line]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{experiment['id']}: {label(experiment['name'], 40)}",
                "x": x,
                "y": [*reached, *reached[-1:]][: len(line)],
                "text": [one.hover for one in line],
                "customdata": [one.id for one in line],
                "hoverinfo": "text",
                "line": {"shape": "hv", "width": 3, "color": colour, "dash": dash},
                "marker": {"size": 6, "color": colour},
            }
        )
    return Picture(
        name=slug("compared", by, name),
        group="compared",
        title="Best so far",
        choice=f"{plain(name)}, over {by}",
        caption=f"The best {plain(name)} so far of {len(data)} experiments, over {by}.",
        figure=figure(data, x="minutes since the first training run began" if by == "time" else "training run", y=label(name, 36)),
    )


def _number(one: Point) -> int:
    return one.number


def _shapes(metric: Metric) -> dict[str, Any]:
    threshold = metric.get("threshold")
    return {} if threshold is None else {"shapes": [threshold_line(threshold, "y")]}


def _dates(by: By) -> dict[str, Any]:
    return {"xaxis": {"type": "date"}} if by == "time" else {}
