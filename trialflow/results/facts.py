"""Experiments and training runs as rows and facts, computed from the API's JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metadata_keys import ATTEMPT, KNOWN, KNOWN_NAME, LOST, REASON, STOPPED_EARLY
from trialflow.metrics import values_of
from trialflow.results.best import best_text
from trialflow.results.ranking import optimized
from trialflow.results.text import progress, text_of

Json = Mapping[str, Any]


def categories_of(parameter: Json) -> list[str]:
    """The values of a categorical parameter, in their order, as the API or a file has them; none if it is a number."""
    return [one if isinstance(one, str) else str(one["name"]) for one in parameter.get("categorical_values") or ()]


def count_of(run: TrainingRun, key: str) -> int:
    """A number that trialflow keeps in a training run's metadata. Anybody can write there: anything else counts as nothing."""
    kept = (run.get("dev_metadata") or {}).get(key)
    return int(kept) if isinstance(kept, int | float) and 0 <= kept < 1 << 31 else 0


def lost_of(runs: Sequence[TrainingRun]) -> int:
    """How often training runs were lost and launched again."""
    return sum(count_of(run, LOST) for run in runs)


def text_kept(run: TrainingRun, key: str) -> str | None:
    """A text that trialflow keeps in a training run's metadata; None for anything else."""
    kept = (run.get("dev_metadata") or {}).get(key)
    return kept if isinstance(kept, str) else None


def stopped_early(run: TrainingRun) -> str | None:
    """Why a training run was stopped early and counts as completed; None if it was not."""
    return text_kept(run, STOPPED_EARLY) if run["state"] == "completed" else None


def is_known(run: TrainingRun) -> bool:
    """Whether a training run was imported: it has cost no budget."""
    return (run.get("name") or "").startswith(KNOWN_NAME) and (run.get("dev_metadata") or {}).get(KNOWN) is not None


def state_of(run: TrainingRun) -> str:
    """The state of a training run in a word: the API's, or `stopped` for one that completed because it was stopped early."""
    return "stopped" if stopped_early(run) else run["state"]


def status_of(experiment: Experiment, owner: str | None) -> str:
    """What is going on with an experiment, in a word or a few."""
    if experiment["state"] == "deleted":
        return "archived"
    if owner:
        return f"running ({owner})"
    counts, budget = experiment["progress"], experiment.get("budget")
    if budget is not None and counts.get("finished_run_count", 0) >= budget:
        return "finished"
    return "unfinished" if counts.get("total_run_count") else "new"


def experiment_row(experiment: Experiment, *, runs: Sequence[TrainingRun], best: Sequence[TrainingRun], owner: str | None) -> list[Any]:
    """One row of `EXPERIMENT_COLUMNS`."""
    counts = experiment["progress"]
    return [
        int(experiment["id"]),
        experiment["name"],
        progress(counts.get("finished_run_count", 0), experiment.get("budget")),
        counts.get("active_run_count", 0),
        lost_of(runs),
        sum(run["state"] == "failed" for run in runs),
        sum(stopped_early(run) is not None for run in runs),
        best_text(experiment["metrics"], values_of(best[0]) if best else None),
        status_of(experiment, owner),
    ]


DEFINITION = ("parameters", "metrics", "conditionals", "linear_constraints", "num_solutions", "type")


def namesake(experiment: Experiment, others: Sequence[Json]) -> Json | None:
    """The newest earlier experiment of the same name that has results; `others` are those of the project."""
    named = [one for one in others if one["name"] == experiment["name"] and int(one["id"]) < int(experiment["id"])]
    return max((one for one in named if one["progress"]["finished_run_count"]), key=lambda one: int(one["id"]), default=None)


def changed_fields(experiment: Experiment, other: Json) -> list[str]:
    """The fields in which the definitions of two experiments differ, as words."""
    return [name.replace("_", " ") for name in DEFINITION if (experiment.get(name) or None) != (other.get(name) or None)]


LEAST_SHARE = 0.01
"""A parameter with a smaller share of what moves a metric is counted, not named."""


def belief_lines(experiment: Experiment, beliefs: Sequence[Json]) -> list[str]:
    """What the optimizer expects, in words: a paragraph for each optimized metric. Stored metrics and constraints have no best."""
    objectives = {one["name"]: one.get("objective") or "maximize" for one in optimized(experiment.get("metrics") or [])}
    lines = []
    for one in beliefs:
        if (name := one["metric"]) not in objectives:
            continue
        end = "highest" if objectives[name] == "maximize" else "lowest"
        point = ", ".join(f"{text_of(key)}={text_of(value)}" for key, value in one["best"].items())
        lines.append(f"{text_of(name)}: expected {end} at {point}")
        lines.append(f"  predicted there: {one['value']:.5g} +/- {one['stddev']:.2g}; noise of one measurement: {one['noise']:.2g}")
        shares = sorted(one["importances"].items(), key=lambda share: -share[1])
        named = [f"{text_of(key)} {share:.0%}" for key, share in shares if share >= LEAST_SHARE]
        rest = len(shares) - len(named)
        others = f"; {rest} other{'s' if rest > 1 else ''} below 1%" if rest else ""
        lines.append(f"  importance: {', '.join(named)}{others}")
    return lines


EXPERIMENT_COLUMNS = ("ID", "NAME", "DONE/BUDGET", "RUNNING", "LOST", "FAILED", "STOPPED", "BEST", "STATUS")


def run_fact(run: TrainingRun) -> dict[str, Any]:
    """One training run for programs."""
    kept = run.get("dev_metadata") or {}
    return {
        "id": str(run["id"]),
        "name": run["name"],
        "state": run["state"],
        "attempt": count_of(run, ATTEMPT) or 1,
        "lost": count_of(run, LOST),
        "reason": f"known from {kept[KNOWN]}" if is_known(run) else text_kept(run, REASON),
        "stopped_early": stopped_early(run),
        "values": dict(sorted(values_of(run).items())),
        "assignments": dict(sorted((run.get("assignments") or {}).items())),
        "created": run.get("created"),
        "completed": run.get("completed"),
    }


def flat_rows(runs: Sequence[TrainingRun]) -> tuple[list[str], list[list[Any]]]:
    """Columns and one row for each training run, as a spreadsheet has them: facts, then metrics, then parameters."""
    facts = [run_fact(run) for run in sorted(runs, key=lambda run: int(run["id"]))]
    metrics = sorted({name for fact in facts for name in fact["values"]})
    parameters = sorted({name for fact in facts for name in fact["assignments"]})
    plain = ["id", "name", "state", "attempt", "lost", "reason", "stopped_early", "created", "completed"]
    # A metric and a parameter may have the same name: then the metric's column says that it is one.
    headings = [*plain, *(f"{name} (metric)" if name in (*parameters, *plain) else name for name in metrics)]
    headings += [f"{name} (parameter)" if name in plain else name for name in parameters]
    rows = [
        [*(fact[key] for key in plain), *(fact["values"].get(name) for name in metrics), *(fact["assignments"].get(name) for name in parameters)]
        for fact in facts
    ]
    return headings, rows
