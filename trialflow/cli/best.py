"""The best training runs of an experiment, as a command that has worked on it shows them."""

from collections.abc import Mapping
from typing import Any

from trialflow.cli.terminal.output import show


def show_summary(summary: Mapping[str, Any], output: str) -> None:
    """Show the best of an experiment that has ended, or its whole summary to programs."""
    best = summary["best"]
    if best or output != "table":
        rows = [[one["id"], one["values"], one["assignments"]] for one in best]
        show(dict(summary), output=output, names=[str(one["id"]) for one in best], columns=["BEST", "METRICS", "ASSIGNMENTS"], rows=rows)
