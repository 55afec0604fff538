"""Which values are better, and the best of an experiment as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.results.text import text_of

Json = Mapping[str, Any]


def optimized(metrics: Sequence[Json]) -> list[Json]:
    """The metrics that an experiment optimizes; constraints and stored ones are left out."""
    return [metric for metric in metrics if metric.get("strategy") in (None, "optimize")]


def best_text(metrics: Sequence[Json], values: Mapping[str, float] | None, *, is_short: bool = False) -> str | None:
    """The optimized metrics of the best training run as `name=value`; a single one without its name if the text `is_short`. None if there is none."""
    if values is None:
        return None
    names = [metric["name"] for metric in optimized(metrics)]
    if is_short and len(names) == 1:
        return text_of(values.get(names[0]))
    return text_of({name: values.get(name) for name in names})


def is_better(metrics: Sequence[Json], values: Mapping[str, float], than: Mapping[str, float] | None) -> bool:
    """Whether `values` keep every threshold and beat those of the best so far in the one metric that is optimized."""
    (metric,) = optimized(metrics)
    value = values.get(metric["name"])
    if value is None or not all(_is_within(one, values) for one in metrics):
        return False
    if than is None:
        return True
    sign = -1 if metric.get("objective") == "minimize" else 1
    return sign * value > sign * than[metric["name"]]


def _is_within(metric: Json, values: Mapping[str, float]) -> bool:
    threshold, value = metric.get("threshold"), values.get(metric["name"])
    if threshold is None or value is None:
        return threshold is None
    return value <= threshold if metric.get("objective") == "minimize" else value >= threshold
