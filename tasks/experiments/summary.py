"""What an experiment came to: for the state of its flow run, for a command that shows its end, and for whoever follows it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.experiments.tally import Tally
from trialflow.api_types import TrainingRun
from trialflow.metrics import values_of
from trialflow.results.spending import spent_on


def summary_of(
    experiment: Mapping[str, Any], runs: Sequence[TrainingRun], best: Sequence[TrainingRun], *, is_exhausted: bool = False
) -> dict[str, Any]:
    """The summary, from what the service has: the experiment as it is now, all its training runs, and its best."""
    tally = Tally.of(runs)
    return {
        "experiment": str(experiment["id"]),
        "name": experiment["name"],
        "budget": experiment.get("budget"),
        "done": experiment["progress"]["finished_run_count"],
        "lost": tally.lost,
        "failed": tally.failed,
        "stopped": tally.stopped,
        "cost": spent_on(runs),
        "space_exhausted": is_exhausted,
        "best": [{"id": one["id"], "assignments": one["assignments"], "values": values_of(one)} for one in best],
    }
