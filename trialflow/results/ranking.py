"""Which results are the best: one, a Pareto front, or all that satisfy the constraints. Pure.

Candidates are pairs of an item and its value for each metric. They all succeeded, and come newest first: that is also the order of those that tie.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

Row = Mapping[str, Any]
Values = Mapping[str, float]
T = TypeVar("T")
M = TypeVar("M", bound=Row)
TOP_SHARE = 5
"""One in so many: the share of results that several solutions are chosen from."""


def best_of(metrics: Sequence[Row], candidates: Sequence[tuple[T, Values]]) -> list[T]:
    """The best of `candidates`, best first.

    One optimized metric: the best within all thresholds, or none. Two: the Pareto front within them, by the first metric. None: all within them.
    """
    by = optimized(metrics)
    ranked = _ranked(metrics, candidates)
    if len(by) == 1:
        return [item for item, _ in ranked[:1]]
    if len(by) == 0:
        return [item for item, _ in ranked]
    front: list[T] = []
    reached = float("-inf")
    for item, values in ranked:  # best first metric first: on the front is what is better in the second than all before
        if gain(by[1], values) > reached:
            reached = gain(by[1], values)
            front.append(item)
    return front


def top_of(metrics: Sequence[Row], candidates: Sequence[tuple[T, Values]], *, point_of: Callable[[T], Hashable], least: int) -> list[T]:
    """Good results at different points, best first: the best fifth of all points, or the best `least` of them. For one optimized metric.

    Of several results at one point only the best counts.
    """
    at_points: dict[Hashable, T] = {}
    for item, _ in _ranked(metrics, candidates):
        at_points.setdefault(point_of(item), item)
    return list(at_points.values())[: max(least, len(at_points) // TOP_SHARE)]


def _ranked(metrics: Sequence[Row], candidates: Sequence[tuple[T, Values]]) -> list[tuple[T, Values]]:
    by = optimized(metrics)
    within = [(item, values) for item, values in candidates if is_within(metrics, values) and all(metric["name"] in values for metric in by)]
    return sorted(within, key=lambda one: [-gain(metric, one[1]) for metric in by])


def optimized(metrics: Sequence[M]) -> list[M]:
    """The metrics that an experiment optimizes; constraints and stored ones are left out."""
    return [metric for metric in metrics if metric.get("strategy") in (None, "optimize")]


def gain(metric: Row, values: Values) -> float:
    """The value of a metric, more being better."""
    value = values[metric["name"]]
    return -value if metric.get("objective") == "minimize" else value


def is_within(metrics: Sequence[Row], values: Values) -> bool:
    """Whether values keep the thresholds of all metrics that have one; a value that is missing keeps none."""
    return all(_keeps(metric, values) for metric in metrics if metric.get("threshold") is not None)


def _keeps(metric: Row, values: Values) -> bool:
    threshold, value = metric["threshold"], values.get(metric["name"])
    if value is None:
        return False
    return value <= threshold if metric.get("objective") == "minimize" else value >= threshold
