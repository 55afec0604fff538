"""Colours: of the states of training runs, which are the same in light and dark, and of everything around them, which are not.

The palette is Okabe and Ito's, which people with any kind of colour blindness can tell apart (https://jfly.uni-koeln.de/color/). Shapes say the same.
"""

from collections.abc import Mapping
from typing import Any

COLOURS = {"completed": "#0a7dbd", "stopped": "#009e73", "failed": "#d55e00", "lost": "#e69f00", "active": "#8a8f98", "best": "#c4629d"}
SYMBOLS = {"completed": "circle", "stopped": "square", "failed": "x", "lost": "diamond-open", "active": "circle-open", "best": "star"}
NAMES = {"completed": "completed", "stopped": "stopped early", "failed": "failed", "active": "running"}
CURVES = ("#0a7dbd", "#d55e00", "#009e73", "#c4629d", "#e69f00")
"""For what is set side by side, five at most; dashes tell them apart as well."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
CIVIDIS = [[0.0, "#00224e"], [0.25, "#434e6c"], [0.5, "#7d7c78"], [0.75, "#bcae6c"], [1.0, "#fee838"]]
"""From low to high, made for the colour-blind. On dark, its lower end is lighter."""
CIVIDIS_ON_DARK = [[0.0, "#4a6fa5"], [0.25, "#6d7f9b"], [0.5, "#97958c"], [0.75, "#c9ba6e"], [1.0, "#fee838"]]


def _template(text: str, grid: str, line: str, background: str, scale: list[list[Any]]) -> dict[str, Any]:
    axis = {"gridcolor": grid, "zerolinecolor": grid, "linecolor": line, "tickcolor": line, "automargin": True}
    layout = {
        "paper_bgcolor": background,
        "plot_bgcolor": background,
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12, "color": text},
        "xaxis": axis,
        "yaxis": axis,
        "colorscale": {"sequential": scale, "sequentialminus": scale},
        "hoverlabel": {"align": "left", "bgcolor": background, "bordercolor": line, "font": {"color": text, "size": 12}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": line, "activecolor": text},
    }
    coordinates = {"line": {"colorscale": scale}, "labelfont": {"color": text}, "tickfont": {"color": text}, "rangefont": {"color": text}}
    return {"layout": layout, "data": {"parcoords": [{**coordinates, "unselected": {"line": {"color": grid, "opacity": 0.35}}}]}}


THEMES: Mapping[str, dict[str, Any]] = {
    "light": _template("#1f2328", "#e4e7eb", "#6b7280", "#ffffff", CIVIDIS),
    "dark": _template("#e6e8eb", "#2c323a", "#9aa3ad", "#14181d", CIVIDIS_ON_DARK),
}


def themed(figure: Mapping[str, Any], theme: str) -> dict[str, Any]:
    """A figure with the colours of a theme."""
    return {"data": figure["data"], "layout": {**figure["layout"], "template": THEMES[theme]}}
