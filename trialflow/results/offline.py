"""The report of an experiment as one HTML file: pictures, data and the script that draws them are in it, so it needs no network and no server. Pure.

The data and plotly.js are compressed: browsers since 2023 unpack them by themselves. What matters can be read without any script.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from trialflow.api_types import Experiment, TrainingRun
from trialflow.results.facts import belief_lines, flat_rows, lost_of, run_fact, status_of
from trialflow.results.pictures import STATIC, THEMES, catalogue, choices_of, pictures_of, plotly_script, points_of
from trialflow.results.pictures.progress import moment
from trialflow.results.text import clean, progress, text_of

Json = Mapping[str, Any]
MOST_LISTED = 200
"""Training runs that are listed as text; all are in the data, and the file saves them as CSV."""
TIMES = ("created", "completed")
SCRIPTS = ("brush.js", "draw.js")


def report_html(
    experiment: Experiment,
    runs: Sequence[TrainingRun],
    best: Sequence[TrainingRun],
    beliefs: Sequence[Json],
    checkpoints: Mapping[int, Sequence[Json]],
    *,
    made: str,
) -> str:
    """The report. `checkpoints` are those of training runs by their ids, oldest first; `made` says when it was made."""
    points = points_of(runs)
    entries = catalogue(experiment, points, beliefs=beliefs, checkpoints=checkpoints, with_checkpoints=len(checkpoints))
    headings, rows = flat_rows(runs)
    facts = [run_fact(one) for one in best]
    data = {
        "pictures": [one.to_json() for one in pictures_of(entries)],
        "choices": choices_of(entries),
        "themes": THEMES,
        "experiment": {**experiment, "best": facts, "beliefs": list(beliefs), "training_runs": [run_fact(one) for one in runs]},
        "table": [headings, *rows],
    }
    counts = {state: sum(one.state == state for one in points) for state in ("completed", "stopped", "failed", "active")}
    shown = {
        "experiment": experiment,
        "status": status_of(experiment, None),
        "progress": progress(experiment["progress"].get("finished_run_count", 0), experiment.get("budget")),
        "counts": {**counts, "lost": lost_of(runs)},
        "best": facts,
        "beliefs": belief_lines(experiment, beliefs),
        "headings": headings,
        "rows": [_with_times(headings, row) for row in list(reversed(rows))[:MOST_LISTED]],
        "total": len(rows),
        "made": made,
        "style": (STATIC / "style.css").read_text(),
        "script": _script(),
        "packed": _packed(json.dumps(data, allow_nan=False).encode()),
        "plotly": _packed(plotly_script().read_bytes()),
    }
    return _templates().get_template("report.html").render(shown)


def _with_times(headings: Sequence[str], row: Sequence[Any]) -> list[Any]:
    """A row with its times as text."""
    return [moment(cell) if name in TIMES and cell else cell for name, cell in zip(headings, row, strict=True)]


def _script() -> str:
    """Our scripts as one module: what one exports is simply there for the next."""
    lines = [line for name in SCRIPTS for line in (STATIC / name).read_text().splitlines() if not line.startswith("import ")]
    own = (Path(__file__).parent / "static" / "report.js").read_text()
    return "\n".join(line.removeprefix("export ") for line in lines) + "\n" + own


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


@lru_cache(1)
def _templates() -> Environment:
    made = Environment(loader=PackageLoader("trialflow.results"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["line"] = lambda value, longest=300: text if len(text := text_of(value)) <= longest else text[: longest - 1] + "…"
    made.filters["clean"] = lambda value: clean(str(value))
    return made
