"""The report of an experiment as markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metrics import values_of
from trialflow.results.spending import dollars
from trialflow.results.text import text_of

Json = Mapping[str, Any]


def report(experiment: Experiment, best: Sequence[TrainingRun], *, done: int, failed: int, stopped: int, lost: int, cost: float | None = None) -> str:
    """What became of an experiment: how many training runs, and the best of them with their metrics and parameters."""
    lines = [f"# {escaped(experiment['name'])} (experiment {experiment['id']})", ""]
    early = f"{stopped} stopped early, " if stopped else ""
    lines += [f"{done} of {experiment.get('budget') or 'unlimited'} training runs done, {early}{failed} failed, {lost} lost and launched again.", ""]
    if cost is not None:
        lines += [f"The nodes that they used have cost about {dollars(cost)}.", ""]
    for run in best:
        lines += [f"## Best: training run {run['id']}", ""]
        lines += [*_table("metric", values_of(run)), "", *_table("parameter", run["assignments"]), ""]
    if not best:
        lines.append("No training run has completed yet.")
    return "\n".join(lines)


def escaped(text: Any) -> str:
    """Text of a user on one line, without anything that markdown or HTML would take for its own."""
    return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", text_of(text))


def _table(heading: str, values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {escaped(name)} | {escaped(value) if isinstance(value, str) else text_of(value)} |" for name, value in sorted(values.items())]
    return [f"| {heading} | value |", "|---|---|", *rows]
