"""Which results are the best: one, a Pareto front, or all that satisfy the constraints. Pure.

Candidates are pairs of an item and its value for each metric. They all succeeded, and come newest first: that is also the order of those that tie.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

Row = Mapping[str, Any]
Values = Mapping[str, float]
T = TypeVar("T")
TOP_SHARE = 5
"""One in so many: the share of results that several solutions are chosen from."""


def best_of(metrics: Sequence[Row], candidates: Sequence[tuple[T, Values]]) -> list[T]:
    """The best of `candidates`, best first.

    One optimized metric: the best within all thresholds, or none. Two: the Pareto front within them, by the first metric. None: all within them.
    """
    optimized = _optimized(metrics)
    ranked = _ranked(metrics, candidates)
    if len(optimized) == 1:
        return [item for item, _ in ranked[:1]]
    if len(optimized) == 0:
        return [item for item, _ in ranked]
    front: list[T] = []
    reached = float("-inf")
    for item, values in ranked:  # best first metric first: on the front is what is better in the second than all before
        if _gain(optimized[1], values) > reached:
            reached = _gain(optimized[1], values)
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
    optimized = _optimized(metrics)
    within = [
        (item, values)
        for item, values in candidates
        if all(_is_within(metric, values) for metric in metrics) and all(metric["name"] in values for metric in optimized)
    ]
    return sorted(within, key=lambda one: [-_gain(metric, one[1]) for metric in optimized])


def _optimized(metrics: Sequence[Row]) -> list[Row]:
    return [metric for metric in metrics if metric.get("strategy") in (None, "optimize")]


def _gain(metric: Row, values: Values) -> float:
    value = values[metric["name"]]
    return -value if metric.get("objective") == "minimize" else value


def _is_within(metric: Row, values: Values) -> bool:
    threshold = metric.get("threshold")
    if threshold is None or metric["name"] not in values:
        return threshold is None
    return values[metric["name"]] <= threshold if metric.get("objective") == "minimize" else values[metric["name"]] >= threshold
