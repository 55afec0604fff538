"""What all figures have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from trialflow.results.pictures.points import Point
from trialflow.results.pictures.themes import COLOURS, SYMBOLS

MOST_DRAWN = 1500
"""From so many points on, WebGL draws them: a browser cannot hold an element for each in several pictures."""
Place = Callable[[Point], Any]
MARGIN = {"l": 56, "r": 16, "t": 36, "b": 48}


@dataclass(frozen=True)
class Picture:
    """One figure with its words. `name` is fit for the name of a file and unique; pictures of one `group` are shown one at a time, by `choice`.

    `caption` says in a sentence what there is to see, for those who do not see it too.
    """

    name: str
    group: str
    title: str
    choice: str
    caption: str
    figure: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def figure(data: Sequence[Mapping[str, Any]], *, x: str | None = None, y: str | None = None, **layout: Any) -> dict[str, Any]:
    """A figure with titles of its axes."""
    axes: dict[str, Any] = {"margin": MARGIN, "hovermode": "closest", "dragmode": "zoom", "uirevision": "same"}
    for name, title in (("xaxis", x), ("yaxis", y)):
        if title is not None:
            axes[name] = {"title": {"text": title, "standoff": 8}, **layout.pop(name, {})}
    return {"data": list(data), "layout": {**axes, **layout}}


def scatter(points: Sequence[Point], x: Place, y: Place, *, state: str, name: str, total: int, **more: Any) -> dict[str, Any]:
    """Markers of training runs in one state, at the places that `x` and `y` give; `total` says how many the picture has in all.

    `customdata` are their ids: a click leads to the training run. Of very many, what is said is put together when one points at them.
    """
    many = total > MOST_DRAWN
    said = {"hovertemplate": f"<b>training run %{{customdata}}</b>: {name}<br>%{{x}}, %{{y}}<extra></extra>"}
    return {
        "type": "scattergl" if many else "scatter",
        "mode": "markers",
        "name": name,
        "x": [x(one) for one in points],
        "y": [y(one) for one in points],
        "customdata": [one.id for one in points],
        **(said if many else {"text": [one.hover for one in points], "hoverinfo": "text"}),
        "marker": {"color": COLOURS[state], "symbol": SYMBOLS[state], "size": 7, **more.pop("marker", {})},
        **more,
    }


def threshold_line(value: float, axis: Literal["x", "y"]) -> dict[str, Any]:
    """A dashed line across a picture at a threshold of an axis."""
    other = "y" if axis == "x" else "x"
    ends = {f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"}
    return {"type": "line", **ends, "line": {"color": COLOURS["lost"], "width": 1.5, "dash": "dash"}}
