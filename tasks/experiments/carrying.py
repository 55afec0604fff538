"""Which results of an earlier experiment still mean the same in a later one: what is taken over, what is left out, and why. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from tasks.experiments.copying import misfit
from trialflow.api_types import Experiment, TrainingRun
from trialflow.metadata_keys import EARLIER, KNOWN, KNOWN_NAME, WINNER
from trialflow.metrics import values_of
from trialflow.results.facts import categories_of, count_of, is_known
from trialflow.results.ranking import best_of, optimized

Json = Mapping[str, Any]
MOST_CARRIED = 200
"""Results that are taken over, those measured last first: more would slow down every suggestion and say little of today."""


@dataclass(frozen=True)
class CarriedOver:
    """`runs` are the earlier training runs that still mean the same, in the terms of the later experiment and newest first.

    `left` says for each of the others, by its id, why it is left out; `sentences` say it all to people.
    """

    runs: tuple[TrainingRun, ...]
    left: Mapping[str, str]
    sentences: tuple[str, ...]


def carry_over(target: Experiment, source: Experiment, runs: Sequence[TrainingRun], most: int = MOST_CARRIED) -> CarriedOver:
    """Decide which completed `runs` of the experiment `source` teach the experiment `target`, both as the service tells them."""
    ended = sorted((run for run in runs if run["state"] == "completed"), key=lambda run: (is_known(run), -int(run["id"])))
    notes, obstacle = _differences(target, source)
    taken: list[TrainingRun] = []
    left: dict[str, str] = {}
    for run in ended:
        reason = obstacle
        if reason is None:
            translated = _translated(target, source, run)
            reason = _unfit(target, translated) or ("there are newer ones" if len(taken) >= most else None)
        if reason is None:
            taken.append(translated)
        else:
            left[str(run["id"])] = reason
    head = f"{len(taken)} of {len(ended)} earlier results are taken over from experiment {source['id']}."
    groups = Counter(left.values()).most_common()
    why = [f"{count} {'is' if count == 1 else 'are'} left out: {reason}." for reason, count in groups]
    return CarriedOver(tuple(taken), left, (head, *notes, *why))


def champion_of(target: Experiment, source: Experiment, carried: CarriedOver) -> TrainingRun | None:
    """The last best among what is taken over: the winner that `source` names, else the best of what was measured for it. None if there is none."""
    winner = str((source.get("metadata") or {}).get(WINNER) or "")
    named = [run for run in carried.runs if str(run["id"]) == winner]
    own = [run for run in carried.runs if not is_known(run)]
    ranked = best_of(target["metrics"], [(run, values_of(run)) for run in named or own])
    return ranked[0] if ranked else None


def known_from(source: Experiment, run: TrainingRun) -> dict[str, Any]:
    """The body of a training run that teaches a later experiment what an earlier one measured. Its name is derived: made twice, it is one."""
    digest = sha256(f"experiment/{source['id']}/{run['id']}".encode()).hexdigest()[:16]
    return {
        "name": KNOWN_NAME + digest,
        "state": "completed",
        "assignments": run["assignments"],
        "values": run["values"],
        "dev_metadata": {KNOWN: f"experiment {source['id']}, training run {run['id']}", EARLIER: 1 + count_of(run, EARLIER)},
    }


def _differences(target: Experiment, source: Experiment) -> tuple[list[str], str | None]:
    """What has changed between the files, as sentences, and the first change after which no earlier result means the same."""
    notes: list[str] = []
    obstacles: list[str] = []
    before = {one["name"]: one for one in source["metrics"]}
    for metric in optimized(target["metrics"]):
        was = before.get(metric["name"])
        if was is None:
            obstacles.append(f"the metric {metric['name']} is new")
        elif _objective(was) != _objective(metric):
            obstacles.append(f"the metric {metric['name']} is to be {_objective(metric)}d now, and was to be {_objective(was)}d")
    old, new = ({one["name"]: one for one in body["parameters"]} for body in (source, target))
    for name, one in new.items():
        if name not in old:
            default = one.get("default_value")
            if default is not None and not one.get("conditions"):
                notes.append(f"{name} is new: earlier results count as having its default_value {default}.")
            elif not one.get("conditions"):
                obstacles.append(f"the parameter {name} is new and has no default_value")
        elif old[name]["type"] != one["type"]:
            obstacles.append(f"the parameter {name} is of type {one['type']} now, and was of type {old[name]['type']}")
        elif (was := _range(old[name])) != (now := _range(one)):
            notes.append(f"{name} is {now} now, and was {was}.")
    obstacles += [f"the parameter {name} was removed, and earlier results depend on it" for name in old if name not in new]
    choices = {one["name"] for one in target.get("conditionals") or ()}
    obstacles += [f"the conditional {one['name']} was removed" for one in source.get("conditionals") or () if one["name"] not in choices]
    return notes, obstacles[0] if obstacles else None


def _translated(target: Experiment, source: Experiment, run: TrainingRun) -> TrainingRun:
    """The training run with what the later experiment knows, and with the defaults of parameters that the earlier one had not."""
    old = {one["name"] for one in source["parameters"]}
    names = {one["name"] for one in (*target["parameters"], *(target.get("conditionals") or ()))}
    filled = {
        one["name"]: default
        for one in target["parameters"]
        if one["name"] not in old and (default := one.get("default_value")) is not None and not one.get("conditions")
    }
    metrics = {metric["name"] for metric in target["metrics"]}
    changed = {
        "assignments": {**filled, **{name: value for name, value in run["assignments"].items() if name in names}},
        "values": {name: value for name, value in (run.get("values") or {}).items() if name in metrics},
    }
    return cast(TrainingRun, {**run, **changed})


def _unfit(target: Experiment, run: TrainingRun) -> str | None:
    """Why a training run teaches the experiment nothing; None if it does."""
    given = run["assignments"]
    for one in target["parameters"]:
        bounds, value = one.get("bounds"), given.get(one["name"])
        if value is None:
            continue
        if bounds and not (isinstance(value, str) or bounds["min"] <= value <= bounds["max"]):
            return f"{one['name']} is outside of its bounds"
        if one["type"] == "categorical" and value not in categories_of(one):
            return f"{one['name']}={value} is no choice any more"
    for metric in target["metrics"]:
        if metric.get("strategy") == "constraint" and metric["name"] not in run["values"]:
            return f"there is no value of {metric['name']}"
    return misfit(target, run)


def _objective(metric: Json) -> str:
    return metric.get("objective") or "maximize"


def _range(one: Json) -> str:
    """The values of a parameter, for people."""
    if bounds := one.get("bounds"):
        return f"between {bounds['min']:g} and {bounds['max']:g}"
    return "one of " + ", ".join(str(value) for value in one.get("grid") or categories_of(one))
