"""Whether a training run is worth going on with, from the checkpoints of all: the median rule and successive halving. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan
from statistics import median
from typing import Literal

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


@dataclass
class Curve:
    """The rule's metric at the checkpoints of one training run, as the rules look at it: mean and best of each beginning, larger being better.

    A checkpoint without the metric, or with one that is no number, counts as a checkpoint and as nothing measured.
    """

    rule: Rule
    means: list[float] = field(default_factory=list)
    bests: list[float] = field(default_factory=list)
    _total: float = 0.0
    _known: int = 0

    @classmethod
    def of(cls, values: Iterable[float | None], rule: Rule) -> "Curve":
        """The curve of values, oldest first."""
        curve = cls(rule)
        for value in values:
            curve.add(value)
        return curve

    def __len__(self) -> int:
        """How many checkpoints there are."""
        return len(self.means)

    def add(self, value: float | None) -> None:
        """Take in the next checkpoint."""
        best = self.bests[-1] if self.bests else -inf
        if value is not None and isfinite(value):
            upward = value if self.rule.objective == "maximize" else -value
            self._total, self._known, best = self._total + upward, self._known + 1, max(best, upward)
        self.means.append(self._total / self._known if self._known else nan)
        self.bests.append(best)


def should_stop(curves: Mapping[str, Curve], training_run: str, rule: Rule) -> str | None:
    """Why `training_run` should be stopped now, in words for a person; None if it should go on.

    `curves` has each training run of the experiment, ended ones too. Asked after every checkpoint.
    Median: Golovin and others (2017), "Google Vizier", section 3.1.2. ASHA: Li and others (2020), "A System for Massively Parallel Hyperparameter
    Tuning", in its variant that stops instead of pausing.
    """
    own = curves.get(training_run)
    step = len(own) if own is not None else 0
    if own is None or step < rule.min_checkpoints or (rule.kind == "asha" and not rung_at(step, rule.min_checkpoints, rule.reduction)):
        return None
    others = [one for name, one in curves.items() if name != training_run and len(one) >= step]
    if rule.kind == "median":
        return _by_median(own.bests[-1], [one.means[step - 1] for one in others], step, rule)
    return _by_asha(own.bests[-1], [one.bests[step - 1] for one in others], step, rule)


def rung_at(count: int, first: int, reduction: int) -> bool:
    """Whether `count` checkpoints are a rung of ASHA: `first`, then each time `reduction` times as many."""
    rung = max(1, first)
    while rung < count:
        rung *= reduction
    return rung == count


def _by_median(best: float, averages: Sequence[float], step: int, rule: Rule) -> str | None:
    """Stop where the best so far is below the median of what the others had on average up to the same checkpoint."""
    averages = [one for one in averages if isfinite(one)]
    if len(averages) < FEWEST_OTHERS:
        return None
    middle = median(averages)
    if best >= middle:
        return None
    shown = f"its best {rule.metric} of {_shown(best, rule)}" if isfinite(best) else f"no {rule.metric} at all"
    return f"median: after {step} checkpoints it has {shown}, the median of {len(averages)} others is {_shown(middle, rule)}"


def _by_asha(best: float, reached: Sequence[float], step: int, rule: Rule) -> str | None:
    """At a rung, stop what is not among the best one in `reduction` of those that have reached it, itself included."""
    # The first `reduction` to come all go on unless enough is known to tell the best third (say) from the rest.
    if len(reached) + 1 < rule.reduction:
        return None
    place = 1 + sum(one > best for one in reached)
    kept = (len(reached) + 1) // rule.reduction
    if place <= kept:
        return None
    return f"asha: {place} of {len(reached) + 1} at {step} checkpoints by {rule.metric}, the best {kept} go on"


def _shown(value: float, rule: Rule) -> str:
    return f"{value if rule.objective == 'maximize' else -value:.6g}"
