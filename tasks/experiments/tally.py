"""What has become of an experiment's training runs, counted in one way, from what the service keeps of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.results.facts import is_known, lost_of, stopped_early

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Tally:
    """How many training runs are `done`, how many of those `failed` or were `stopped` early, and how often one was `lost` and launched again."""

    done: int = 0
    failed: int = 0
    stopped: int = 0
    lost: int = 0

    @classmethod
    def of(cls, runs: Sequence[TrainingRun]) -> "Tally":
        """Count training runs as the service has them, whichever flow executed them. Imported ones are not counted."""
        runs = [run for run in runs if not is_known(run)]
        return cls(
            done=sum(run["state"] in ("completed", "failed") for run in runs),
            failed=sum(run["state"] == "failed" for run in runs),
            stopped=sum(stopped_early(run) is not None for run in runs),
            lost=lost_of(runs),
        )


def result_line(experiment: Experiment, tally: Tally, best: Sequence[TrainingRun]) -> str:
    """The result of an experiment in a line: `6 of 6, best score 0.885 (training run 6)`."""
    budget = experiment.get("budget")
    parts = [f"{tally.done} of {budget}" if budget is not None else f"{tally.done} training runs"]
    parts += [
        f"{count} {word}"
        for count, word in ((tally.failed, "failed"), (tally.stopped, "stopped early"), (tally.lost, "lost and launched again"))
        if count
    ]
    optimized = [metric["name"] for metric in experiment.get("metrics") or [] if metric.get("strategy") in (None, "optimize")]
    if not best:
        parts.append("no training run completed")
    elif len(optimized) == 1 and (value := (best[0].get("values") or {}).get(optimized[0])) is not None:
        parts.append(f"best {optimized[0]} {value['value']:.5g} (training run {best[0]['id']})")
    else:
        parts.append("best training runs " + ", ".join(str(run["id"]) for run in best))
    return ", ".join(parts)
