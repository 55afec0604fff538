"""Where plotly's JavaScript is: its wheel brings it, so nothing comes from the network."""

from importlib.util import find_spec
from pathlib import Path


def plotly_script() -> Path:
    """plotly.min.js of the installed wheel, without importing plotly."""
    spec = find_spec("plotly")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
