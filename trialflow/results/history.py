"""How an experiment went: its training runs in the order in which they ended, with the best value so far. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Metric, TrainingRun
from trialflow.metrics import values_of
from trialflow.results.best import is_better
from trialflow.results.facts import state_of
from trialflow.results.ranking import optimized

Json = Mapping[str, Any]


def history(metrics: Sequence[Metric], runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """One entry for each training run that has ended: `training_run`, `state`, `completed` (seconds since 1970), `values` and `best`.

    `best` is the best value so far within all thresholds; None before there is one, and always where not exactly one metric is optimized.
    """
    single = len(optimized(metrics)) == 1
    best: Mapping[str, float] | None = None
    entries = []
    for run in sorted((one for one in runs if one.get("completed")), key=lambda one: (one["completed"], int(one["id"]))):
        values = values_of(run)
        if single and run["state"] == "completed" and is_better(metrics, values, best):
            best = values
        so_far = best[optimized(metrics)[0]["name"]] if best is not None else None
        entries.append({"training_run": str(run["id"]), "state": state_of(run), "completed": run["completed"], "values": values, "best": so_far})
    return entries
