"""Colours: of the states of training runs, which are the same in light and dark, and of everything around them, which are not.

The palette is Okabe and Ito's, which people with any kind of colour blindness can tell apart (https://jfly.uni-koeln.de/color/). Shapes say the same.
"""

from collections.abc import Mapping
from typing import Any

COLOURS = {"completed": "#2a8ccc", "stopped": "#009e73", "failed": "#d55e00", "lost": "#e69f00", "active": "#8a8f98", "best": "#c4629d"}
SYMBOLS = {"completed": "circle", "stopped": "square", "failed": "x", "lost": "diamond-open", "active": "circle-open", "best": "star"}
NAMES = {"completed": "completed", "stopped": "stopped early", "failed": "failed", "active": "running"}
CURVES = ("#2a8ccc", "#d55e00", "#009e73", "#c4629d", "#e69f00")
"""For what is set side by side, five at most; dashes tell them apart as well."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SCALE: list[tuple[float, str]] = [(0.0, "#0a7dbd"), (0.5, "#9a8fa8"), (1.0, "#d55e00")]
"""From low to high: blue to orange, which differ for everybody, on light and on dark."""


def _template(text: str, grid: str, line: str, background: str, see_through: str) -> dict[str, Any]:
    axis = {"gridcolor": grid, "zerolinecolor": grid, "linecolor": line, "tickcolor": line, "automargin": True}
    layout = {
        "paper_bgcolor": background,
        "plot_bgcolor": background,
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12, "color": text},
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {"align": "left", "bgcolor": background, "bordercolor": line, "font": {"color": text, "size": 12}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        "annotationdefaults": {"bgcolor": see_through},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": line, "activecolor": text},
    }
    return {"layout": layout}


THEMES: Mapping[str, dict[str, Any]] = {
    "light": _template("#1f2328", "#e4e7eb", "#6b7280", "#ffffff", "rgba(255,255,255,0.75)"),
    "dark": _template("#e6e8eb", "#2c323a", "#9aa3ad", "#14181d", "rgba(20,24,29,0.75)"),
}


def themed(figure: Mapping[str, Any], theme: str) -> dict[str, Any]:
    """A figure with the colours of a theme."""
    return {"data": figure["data"], "layout": {**figure["layout"], "template": THEMES[theme]}}


def colour_at(place: float) -> str:
    """The colour of `SCALE` at a place between 0 and 1."""
    (low, first), (high, second) = next(pair for pair in zip(SCALE, SCALE[1:], strict=False) if place <= pair[1][0])
    share = (place - low) / (high - low)
    mixed = (round(int(first[at : at + 2], 16) * (1 - share) + int(second[at : at + 2], 16) * share) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)
