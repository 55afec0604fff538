"""What a training run logged, out of the form that the API has it in."""

from collections.abc import Iterable, Mapping
from typing import Any


def values_of(run: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> value, in the order in which they were logged. `run` is anything that has `values` as a training run has them."""
    return {name: value["value"] for name, value in (run.get("values") or {}).items()}


def value_at(checkpoint: Mapping[str, Any], metric: str) -> float | None:
    """The value of a metric in a checkpoint; None if it has none."""
    return next((one.get("value") for one in checkpoint.get("values") or () if one.get("name") == metric), None)


def last_values(checkpoints: Iterable[Mapping[str, Any]], metrics: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Metric -> its value in the last checkpoint that has it, as a training run keeps values. `checkpoints` are newest first."""
    found: dict[str, dict[str, Any]] = {}
    wanted = set(metrics)
    for checkpoint in checkpoints:
        for one in checkpoint.get("values") or ():
            if one["name"] in wanted and one.get("value") is not None:
                found.setdefault(one["name"], {key: one[key] for key in ("value", "value_stddev") if one.get(key) is not None})
    return found
