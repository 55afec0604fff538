"""Whether a training run is worth going on with, from the checkpoints of all: the median rule and successive halving. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median
from typing import Literal

Checkpoints = Sequence[float | None]
FEWEST_OTHERS = 3
"""With fewer other training runs that came as far, the median says too little."""


@dataclass(frozen=True)
class Rule:
    """What to judge by: `metric` of the checkpoints, whose first `min_checkpoints` are always let pass.

    `reduction` is what ASHA divides by: of the training runs that reach a rung, the best one in `reduction` goes on, and each rung is `reduction`
    times as far as the one before.
    """

    kind: Literal["median", "asha"]
    metric: str
    objective: Literal["maximize", "minimize"] = "maximize"
    min_checkpoints: int = 5
    reduction: int = 3


def should_stop(histories: Mapping[str, Checkpoints], training_run: str, rule: Rule) -> str | None:
    """Why `training_run` should be stopped now, in words for a person; None if it should go on.

    `histories` has for each training run of the experiment, ended ones too, the rule's metric at its checkpoints, oldest first; None or nan where a
    checkpoint lacks it. Asked after every checkpoint. Median: Golovin and others (2017), "Google Vizier", section 3.1.2. ASHA: Li and others
    (2020), "A System for Massively Parallel Hyperparameter Tuning", in its variant that stops instead of pausing.
    """
    own = [_upward(value, rule) for value in histories.get(training_run, ())]
    step = len(own)
    if step < rule.min_checkpoints or (rule.kind == "asha" and not rung_at(step, rule.min_checkpoints, rule.reduction)):
        return None
    rivals = [one for name, one in histories.items() if name != training_run and len(one) >= step]
    others = [[_upward(value, rule) for value in one[:step]] for one in rivals]
    return _by_median(own, others, rule) if rule.kind == "median" else _by_asha(own, others, rule)


def rung_at(count: int, first: int, reduction: int) -> bool:
    """Whether `count` checkpoints are a rung of ASHA: `first`, then each time `reduction` times as many."""
    rung = max(1, first)
    while rung < count:
        rung *= reduction
    return rung == count


def _by_median(own: list[float], others: list[list[float]], rule: Rule) -> str | None:
    """Stop where the best so far is below the median of what the others had on average up to the same checkpoint, where `others` end."""
    step = len(own)
    averages = [one for one in map(_mean, others) if isfinite(one)]
    if len(averages) < FEWEST_OTHERS:
        return None
    best, middle = _best(own), median(averages)
    if best >= middle:
        return None
    shown = f"its best {rule.metric} of {_shown(best, rule)}" if isfinite(best) else f"no {rule.metric} at all"
    return f"median: after {step} checkpoints it has {shown}, the median of {len(averages)} others is {_shown(middle, rule)}"


def _by_asha(own: list[float], others: list[list[float]], rule: Rule) -> str | None:
    """At a rung, stop what is not among the best one in `reduction` of those that have reached it, itself included."""
    step = len(own)
    reached = [_best(one) for one in others]
    # The first `reduction` to come all go on unless enough is known to tell the best third (say) from the rest.
    if len(reached) + 1 < rule.reduction:
        return None
    best = _best(own)
    place = 1 + sum(one > best for one in reached)
    kept = (len(reached) + 1) // rule.reduction
    if place <= kept:
        return None
    return f"asha: {place} of {len(reached) + 1} at {step} checkpoints by {rule.metric}, the best {kept} go on"


def _upward(value: float | None, rule: Rule) -> float:
    if value is None or not isfinite(value):
        return nan
    return value if rule.objective == "maximize" else -value


def _best(values: Sequence[float]) -> float:
    return max((one for one in values if isfinite(one)), default=float("-inf"))


def _mean(values: Sequence[float]) -> float:
    known = [one for one in values if isfinite(one)]
    return sum(known) / len(known) if known else nan


def _shown(value: float, rule: Rule) -> str:
    return f"{value if rule.objective == 'maximize' else -value:.6g}"
