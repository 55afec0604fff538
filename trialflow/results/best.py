"""Which values are better, and the best of an experiment as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.api_types import Metric
from trialflow.results.ranking import gain, is_within, optimized
from trialflow.results.text import text_of

Json = Mapping[str, Any]


def best_text(metrics: Sequence[Metric], values: Mapping[str, float] | None, *, is_short: bool = False) -> str | None:
    """The optimized metrics of the best training run as `name=value`; a single one without its name if the text `is_short`. None if there is none."""
    if values is None:
        return None
    names = [metric["name"] for metric in optimized(metrics)]
    if is_short and len(names) == 1:
        return text_of(values.get(names[0]))
    return text_of({name: values.get(name) for name in names})


def is_better(metrics: Sequence[Metric], values: Mapping[str, float], than: Mapping[str, float] | None) -> bool:
    """Whether `values` keep every threshold and beat those of the best so far in the one metric that is optimized."""
    (metric,) = optimized(metrics)
    if values.get(metric["name"]) is None or not is_within(metrics, values):
        return False
    if than is None:
        return True
    return gain(metric, values) > gain(metric, than)
