"""The winner of champion and challenger: its run file, and a page about it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.experiments.verdict import Side, Verdict
from trialflow.home import Home
from trialflow.results.report import escaped
from trialflow.results.text import text_of
from trialflow.specs import RunSpec, to_yaml


def run_file(run: RunSpec, verdict: Verdict) -> str:
    """The run file of the winner: `trialflow run -r FILE` executes it again."""
    return f"# The assignments of training run {int(verdict.winner.training_run)}.\n{to_yaml(_with(run, verdict.winner))}"


def export_winner(home: Home, experiment: str, run: RunSpec, verdict: Verdict) -> Path:
    """Write the winner's run file, and return its path. It takes the place of the last one at once: whoever reads it gets one or the other."""
    home.make(home.winners)
    path = home.winner(experiment)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(run_file(run, verdict))
    part.replace(path)
    return path


def verdict_page(experiment: Mapping[str, Any], run: RunSpec, verdict: Verdict, path: Path) -> str:
    """The verdict as markdown: the sentence, both sides with their values, and the winner's run file."""
    lines = [f"# {escaped(experiment['name'])}: champion and challenger", "", escaped(verdict.sentence()), ""]
    lines += ["| | training run | today | measured | assignments |", "|---|---|---|---|---|"]
    for name, side in (("champion", verdict.champion), ("challenger", verdict.challenger)):
        if side is not None:
            cells = (name, side.training_run, text_of(side.mean), ", ".join(map(text_of, side.values)), escaped(text_of(dict(side.assignments))))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"The winner's run file, `{path}`:", "", "```yaml", run_file(run, verdict).rstrip(), "```"])


def _with(run: RunSpec, side: Side) -> RunSpec:
    return run.model_copy(update={"assignments": dict(side.assignments)})
