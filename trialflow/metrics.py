"""What a training run logged, out of the form that the API has it in."""

from collections.abc import Mapping
from typing import Any


def values_of(run: Mapping[str, Any]) -> dict[str, float]:
    """Metric -> value, in the order in which they were logged. `run` has them under `values`, each with its standard deviation if there is one."""
    return {name: value["value"] for name, value in (run.get("values") or {}).items()}
