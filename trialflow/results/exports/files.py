"""All training runs of an experiment as a file: CSV, JSON, YAML, Parquet, or a table of text."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.api_types import TrainingRun
from trialflow.errors import InvalidInput
from trialflow.results.exports.neighbours import neighbour
from trialflow.results.facts import flat_rows, run_fact

if TYPE_CHECKING:
    import pandas

Json = Mapping[str, Any]
FORMATS = ("csv", "json", "yaml", "table")
SUFFIXES = {".csv": "csv", ".tsv": "table", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".parquet": "parquet"}


def format_of(file: str | Path) -> str:
    """The format that a file's name asks for. Raises `InvalidInput` for a name that asks for none."""
    suffix = Path(file).suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(f"{str(file)!r} does not end with a known format", hint=f"known are {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def content(runs: Sequence[TrainingRun], format: str) -> bytes:  # noqa: A002 - the word
    """Training runs in a format, oldest first."""
    if format == "parquet":
        neighbour("pyarrow")
        buffer = io.BytesIO()
        frame(runs).to_parquet(buffer, index=False)
        return buffer.getvalue()
    return text(runs, format).encode()


def text(runs: Sequence[TrainingRun], format: str) -> str:  # noqa: A002 - the word
    """Training runs as text, oldest first."""
    facts = [run_fact(run) for run in sorted(runs, key=lambda run: int(run["id"]))]
    if format == "json":
        return json.dumps(facts, indent=2) + "\n"
    if format == "yaml":
        import yaml

        return yaml.safe_dump(facts, sort_keys=False)
    headings, rows = flat_rows(runs)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", delimiter="," if format == "csv" else "\t")
    writer.writerows([headings, *rows])
    return buffer.getvalue()


def frame(runs: Sequence[TrainingRun]) -> "pandas.DataFrame":
    """Training runs as a table, oldest first: facts, then metrics, then parameters. Raises `TrialflowError` if pandas is not installed."""
    headings, rows = flat_rows(runs)
    return neighbour("pandas").DataFrame(rows, columns=headings)
