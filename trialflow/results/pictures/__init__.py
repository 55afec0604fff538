"""Pictures of experiments: the API's JSON in, plotly figures out, as JSON. Nothing here imports plotly or knows where a picture is shown.

A figure has no colours of a page: `themes.THEMES` has a template for light and one for dark, which whoever shows the figure applies.
"""

from pathlib import Path

from trialflow.results.pictures.all import Entry, catalogue, choices_of, pictures_of
from trialflow.results.pictures.figure import Picture
from trialflow.results.pictures.plotly_js import plotly_script
from trialflow.results.pictures.points import Point, points_of
from trialflow.results.pictures.progress import compared
from trialflow.results.pictures.themes import THEMES, themed

STATIC = Path(__file__).parent / "static"
"""The scripts that draw pictures in a browser, and the style of what is around them: of pages and reports alike."""

__all__ = [
    "STATIC",
    "THEMES",
    "Entry",
    "Picture",
    "Point",
    "catalogue",
    "choices_of",
    "compared",
    "pictures_of",
    "plotly_script",
    "points_of",
    "themed",
]
