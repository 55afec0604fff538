"""What is shown of experiments and training runs, computed from the API's JSON. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.metadata_keys import ATTEMPT, LOST, REASON, STOPPED_EARLY
from trialflow.metrics import values_of

Json = Mapping[str, Any]


def lost_of(runs: Sequence[Json]) -> int:
    """How often training runs were lost and launched again."""
    return sum(int((run.get("dev_metadata") or {}).get(LOST) or 0) for run in runs)


def stopped_early(run: Json) -> str | None:
    """Why a training run was stopped early and counts as completed; None if it was not."""
    return (run.get("dev_metadata") or {}).get(STOPPED_EARLY) if run["state"] == "completed" else None


def state_of(run: Json) -> str:
    """The state of a training run in a word: the API's, or `stopped` for one that completed because it was stopped early."""
    return "stopped" if stopped_early(run) else run["state"]


def status_of(experiment: Json, owner: str | None) -> str:
    """What is going on with an experiment, in a word or a few."""
    if experiment["state"] == "deleted":
        return "archived"
    if owner:
        return f"running ({owner})"
    progress, budget = experiment["progress"], experiment.get("budget")
    if budget is not None and progress["finished_run_count"] >= budget:
        return "finished"
    return "unfinished" if progress["total_run_count"] else "new"


def experiment_row(experiment: Json, *, runs: Sequence[Json], best: Sequence[Json], owner: str | None) -> list[Any]:
    """One row of `EXPERIMENT_COLUMNS`."""
    progress = experiment["progress"]
    return [
        int(experiment["id"]),
        experiment["name"],
        f"{progress['finished_run_count']}/{experiment.get('budget') or 'unlimited'}",
        progress["active_run_count"],
        lost_of(runs),
        sum(run["state"] == "failed" for run in runs),
        sum(stopped_early(run) is not None for run in runs),
        " ".join(f"{name}={value:.5g}" for name, value in sorted(values_of(best[0]).items())) if best else None,
        status_of(experiment, owner),
    ]


FEWEST_SAID = 0.01
"""A parameter with a smaller share of what moves a metric is not worth a word."""


def belief_lines(experiment: Json, beliefs: Sequence[Json]) -> list[str]:
    """What the optimizer believes, in words for a person: a paragraph for each metric that it has a model of."""
    objectives = {one["name"]: one.get("objective") or "maximize" for one in experiment.get("metrics") or []}
    lines = []
    for one in beliefs:
        name = one["metric"]
        end = "highest" if objectives.get(name, "maximize") == "maximize" else "lowest"
        point = ", ".join(f"{key}={value if isinstance(value, str) else format(value, '.5g')}" for key, value in one["best"].items())
        lines.append(f"{name}: expected {end} at {point}")
        lines.append(f"  there it should be {one['value']:.5g}, give or take {one['stddev']:.2g}; one measurement varies by {one['noise']:.2g}")
        shares = sorted(one["importances"].items(), key=lambda share: -share[1])
        said = [f"{key} {share:.0%}" for key, share in shares if share >= FEWEST_SAID]
        rest = len(shares) - len(said)
        others = f"; {rest} other{'s' if rest > 1 else ''} hardly at all" if rest else ""
        lines.append(f"  what moves it: {', '.join(said)}{others}")
    return lines


EXPERIMENT_COLUMNS = ("ID", "NAME", "DONE/BUDGET", "RUNNING", "LOST", "FAILED", "STOPPED", "BEST", "STATUS")


def run_fact(run: Json) -> dict[str, Any]:
    """One training run for programs."""
    kept = run.get("dev_metadata") or {}
    return {
        "id": str(run["id"]),
        "name": run["name"],
        "state": run["state"],
        "attempt": int(kept.get(ATTEMPT) or 1),
        "lost": int(kept.get(LOST) or 0),
        "reason": kept.get(REASON),
        "stopped_early": stopped_early(run),
        "values": dict(sorted(values_of(run).items())),
        "assignments": dict(sorted((run.get("assignments") or {}).items())),
        "created": run.get("created"),
        "completed": run.get("completed"),
    }


def flat_rows(runs: Sequence[Json]) -> tuple[list[str], list[list[Any]]]:
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
