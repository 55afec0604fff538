"""Which training runs are the best: one, a Pareto front, or all that satisfy the constraints. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Values = Mapping[str, float]


def best_of(metrics: Sequence[Row], candidates: Sequence[tuple[Any, Values]]) -> list[Any]:
    """The best of `candidates` (item, value by metric), which all succeeded.

    One optimized metric: the best within all thresholds, or none. Two: the Pareto front within them, best first metric first. None: all within
    them.
    """
    within = [(item, values) for item, values in candidates if all(_is_within(metric, values) for metric in metrics)]
    optimized = [metric for metric in metrics if metric.get("strategy") in (None, "optimize")]
    within = [(item, values) for item, values in within if all(metric["name"] in values for metric in optimized)]
    if not optimized:
        return [item for item, _ in within]
    ranked = sorted(within, key=lambda one: [-_gain(metric, one[1]) for metric in optimized])
    if len(optimized) == 1:
        return [item for item, _ in ranked[:1]]
    front: list[Any] = []
    reached = float("-inf")
    for item, values in ranked:  # best first metric first: on the front is what is better in the second than all before
        if _gain(optimized[1], values) > reached:
            reached = _gain(optimized[1], values)
            front.append(item)
    return front


def best_share(metrics: Sequence[Row], candidates: Sequence[tuple[Any, Values]], *, least: int) -> list[Any]:
    """The best fifth of `candidates` within all thresholds, or the best `least` of them, best first, for one optimized metric."""
    (optimized,) = [metric for metric in metrics if metric.get("strategy") in (None, "optimize")]
    within = [(item, values) for item, values in candidates if all(_is_within(metric, values) for metric in metrics)]
    ranked = sorted((one for one in within if optimized["name"] in one[1]), key=lambda one: -_gain(optimized, one[1]))
    return [item for item, _ in ranked[: max(least, len(ranked) // 5)]]


def _gain(metric: Row, values: Values) -> float:
    value = values[metric["name"]]
    return -value if metric.get("objective") == "minimize" else value


def _is_within(metric: Row, values: Values) -> bool:
    threshold = metric.get("threshold")
    if threshold is None or metric["name"] not in values:
        return threshold is None
    return values[metric["name"]] <= threshold if metric.get("objective") == "minimize" else values[metric["name"]] >= threshold
