"""Champion and challenger: whether the best of this time is better than the best of last time, both measured on today's data. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean
from typing import Any, Literal

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metrics import values_of
from trialflow.results.facts import is_known
from trialflow.results.ranking import gain, is_within, optimized
from trialflow.results.text import text_of
from trialflow.specs import ExperimentSpec

CONFIDENCE = 0.9
"""Of the interval that the difference is told with: both sides together."""
FIRST = 2
"""How often the champion is measured when work begins. Two values tell how noisy the metric is, before anything depends on it."""
LEAST_BUDGET = 8
"""With less, there is nothing left to search with once the champion was measured."""


def unlearnable(spec: ExperimentSpec) -> str | None:
    """Why an experiment cannot learn from the one before it, for people; None if it can."""
    reasons = {
        f"its search is {spec.type}, which learns from nothing": spec.type in ("random", "grid"),
        "it optimizes other than one metric, so there is no champion": len(spec.optimized) != 1,
        "it looks for several solutions": (spec.num_solutions or 1) > 1,
        f"its budget is below {LEAST_BUDGET}, or it has none": (spec.budget or 0) < LEAST_BUDGET,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def repeats(budget: int, first: Sequence[float]) -> int:
    """How often champion and challenger are each measured again at the end: a tenth of the budget, at most three times.

    Not at all if the champion's `first` values are equal: then the model is not noisy, and the budget is better spent on tuning.
    """
    return 0 if len(first) > 1 and len(set(first)) == 1 else min(3, budget // 10)


@dataclass(frozen=True)
class Side:
    """One of the two: a training run of it, its assignments, and what was measured of it today."""

    training_run: str
    assignments: Mapping[str, Any]
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return fmean(self.values)


@dataclass(frozen=True)
class Verdict:
    """`better` is which of the two has the better mean and is exported. `difference` is the challenger's mean less the champion's.

    `low` and `high` are the ends of its interval, None where too little was measured to tell; `is_clear` says that it leaves out zero.
    """

    better: Literal["champion", "challenger"]
    metric: str
    champion: Side | None
    challenger: Side | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def winner(self) -> Side:
        """The side that is exported."""
        found = self.champion if self.better == "champion" else self.challenger
        assert found is not None
        return found

    @property
    def is_clear(self) -> bool:
        """Whether chance alone is an unlikely reason for the difference."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0 or self.low == self.high != 0)

    def sentence(self) -> str:
        """The verdict for people."""
        if self.difference is None:
            only = "the champion could not be measured" if self.champion is None else "no other training run completed"
            return f"The {self.better} (training run {self.winner.training_run}) is taken: {only}."
        assert self.champion is not None and self.challenger is not None
        about = f"{self.metric} {text_of(self.challenger.mean)} of the challenger and {text_of(self.champion.mean)} of the champion, today"
        if self.low is not None and self.low != self.high:
            about += f"; the difference is {text_of(self.difference)}, between {text_of(self.low)} and {text_of(self.high)} with {CONFIDENCE:.0%}"
        how = "better" if self.is_clear else "taken, though not clearly better"
        return f"The {self.better} (training run {self.winner.training_run}) is {how}: {about}."

    def to_json(self) -> dict[str, Any]:
        """For events and programs."""
        return {**asdict(self), "is_clear": self.is_clear, "sentence": self.sentence()}


def judge(experiment: Experiment, runs: Sequence[TrainingRun], champion: Mapping[str, Any] | None) -> Verdict | None:
    """Compare from the training runs that were executed today; `champion` are the assignments of the last best. None if nothing completed.

    The challenger is chosen by the first value at each point, which luck has helped: where it was measured again, that value does not count.
    """
    (metric,) = optimized(experiment["metrics"])
    name, sign = metric["name"], -1.0 if metric.get("objective") == "minimize" else 1.0
    done = sorted(
        (run for run in runs if run["state"] == "completed" and not is_known(run) and _is_valid(experiment, run)), key=lambda run: int(run["id"])
    )
    mine = [run for run in done if champion is not None and run["assignments"] == dict(champion)]
    others = [run for run in done if run not in mine]
    incumbent = _side(mine, name) if mine else None
    challenger = None
    if others:
        points: dict[str, list[TrainingRun]] = {}
        for run in others:
            points.setdefault(json.dumps(run["assignments"], sort_keys=True), []).append(run)
        first, *again = max(points.values(), key=lambda group: gain(metric, values_of(group[0])))
        challenger = _side(again or [first], name)
    if incumbent is None or challenger is None:
        if incumbent is None and challenger is None:
            return None
        return Verdict("challenger" if incumbent is None else "champion", name, incumbent, challenger)
    difference = challenger.mean - incumbent.mean
    low, high = _interval(difference, incumbent.values, challenger.values)
    return Verdict("challenger" if sign * difference > 0 else "champion", name, incumbent, challenger, difference, low, high)


def _side(runs: Sequence[TrainingRun], name: str) -> Side:
    return Side(str(runs[-1]["id"]), runs[-1]["assignments"], tuple(values_of(run)[name] for run in runs))


def _is_valid(experiment: Experiment, run: TrainingRun) -> bool:
    values = values_of(run)
    return is_within(experiment["metrics"], values) and all(metric["name"] in values for metric in optimized(experiment["metrics"]))


def _interval(difference: float, *groups: Sequence[float]) -> tuple[float | None, float | None]:
    """The interval of a difference of two means with one variance for both (Student); of no width for values that repeat exactly."""
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < 1:
        return None, None
    from scipy.special import stdtrit

    squares = sum((value - fmean(group)) ** 2 for group in groups for value in group)
    width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * sqrt(squares / freedom * sum(1 / len(group) for group in groups))
    return difference - width, difference + width
