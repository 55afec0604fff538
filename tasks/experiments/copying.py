"""Results of one experiment taken along to another: which training runs fit, and how they get there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.experiments.client import ServiceClient
from trialflow.api_types import Experiment, TrainingRun
from trialflow.metadata_keys import KNOWN
from trialflow.results.facts import categories_of
from trialflow.results.ranking import optimized
from trialflow.service.assignments import SLACK

Json = Mapping[str, Any]
PREFIX = "from-"
"""Names of copies are derived, so that copying twice is the same as once; flows never take one for a training run of theirs."""
LONGEST_SOURCE = 500
"""Characters of a value in metadata."""


@dataclass(frozen=True)
class CopyPlan:
    """`new` are the training runs to create; `skipped` says for each of the others, by its id, why it is not copied."""

    new: tuple[Json, ...]
    skipped: Mapping[str, str]


def plan_copy(target: Experiment, runs: Sequence[TrainingRun], existing: Sequence[Json]) -> CopyPlan:
    """Decide which completed `runs` fit the experiment `target`, oldest first; `existing` are the training runs that it has."""
    taken = {run["name"] for run in existing}
    new, skipped = [], {}
    for run in sorted((one for one in runs if one["state"] == "completed"), key=lambda one: int(one["id"])):
        name = f"{PREFIX}{run['experiment']}-{run['id']}"
        if name in taken:
            skipped[run["id"]] = "it was copied before"
        elif reason := misfit(target, run):
            skipped[run["id"]] = reason
        else:
            metrics = {metric["name"] for metric in target["metrics"]}
            values = {metric: value for metric, value in run["values"].items() if metric in metrics}
            names = {one["name"] for one in (*target["parameters"], *(target.get("conditionals") or ()))}
            given = {one: value for one, value in run["assignments"].items() if one in names}
            new.append({"name": name, "assignments": given, "values": values, "state": "completed"})
    return CopyPlan(tuple(new), skipped)


def plan_import(target: Experiment, found: Sequence[Json], existing: Sequence[Json], source: str) -> CopyPlan:
    """Decide which training runs that are known from `source` fit the experiment `target`. They cost no budget, see `KNOWN`.

    `found` are `{"name", "assignments", "values"}`, each with a name that is derived from where it comes from.
    """
    taken = {run["name"] for run in existing}
    new, skipped = [], {}
    for number, run in enumerate(found, 1):
        if run["name"] in taken:
            skipped[str(number)] = "it was imported before"
        elif reason := misfit(target, run):
            skipped[str(number)] = reason
        else:
            new.append({**run, "state": "completed", "dev_metadata": {KNOWN: source[:LONGEST_SOURCE]}})
    return CopyPlan(tuple(new), skipped)


def misfit(target: Experiment, run: Json) -> str | None:
    """Why a training run teaches the experiment nothing; None if it does."""
    given = run["assignments"]
    for one in target.get("conditionals") or ():
        if given.get(one["name"]) not in one["values"]:
            return f"it has no {one['name']} of this experiment"
    for one in target["parameters"]:
        is_active = all(given.get(name) in values for name, values in (one.get("conditions") or {}).items())
        if (one["name"] in given) != is_active:
            return f"it has no {one['name']}" if is_active else f"its {one['name']} is not active"
        if not is_active:
            continue
        value = given[one["name"]]
        if one["type"] == "categorical":
            if value not in categories_of(one):
                return f"{one['name']}={value} is not a value of this experiment"
        elif isinstance(value, str) or (one["type"] == "int" and value != int(value)) or (one.get("grid") and value not in one["grid"]):
            return f"{one['name']}={value} is not a value of this experiment"
    for one in target.get("linear_constraints") or ():
        terms = [term["weight"] * given[term["name"]] for term in one["terms"]]
        over = (sum(terms) - one["threshold"]) * (1 if one["type"] == "less_than" else -1)
        if over > SLACK * max(1.0, abs(one["threshold"]), *map(abs, terms)):
            return "it does not satisfy a linear constraint of this experiment"
    missing = [metric["name"] for metric in optimized(target["metrics"]) if metric["name"] not in run["values"]]
    return f"it has no value of {missing[0]}" if missing else None


async def copy_results(client: ServiceClient, plan: CopyPlan, target: Experiment) -> int:
    """Create the training runs of the plan in the experiment, one after the other. Returns how many."""
    for run in plan.new:
        await client.request("POST", "aiexperiments", str(target["id"]), "training_runs", body=run)
    return len(plan.new)
