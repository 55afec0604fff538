"""What is known: metrics and observations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trialflow.optimizer.space import Assignment


@dataclass(frozen=True)
class Metric:
    """One metric: to optimize, to keep within `threshold` (constraint), or just stored."""

    name: str
    objective: Literal["maximize", "minimize"] = "maximize"
    strategy: Literal["optimize", "constraint", "store"] = "optimize"
    threshold: float | None = None


@dataclass(frozen=True)
class Value:
    """A measured value, with its standard deviation if the model gave one."""

    value: float
    stddev: float | None = None


@dataclass(frozen=True)
class Observation:
    """A point that was tried, with its values by metric, or its failure. `task_cost` is that of the core API's tasks."""

    assignments: Mapping[str, Assignment]
    values: Mapping[str, Value]
    failed: bool = False
    task_cost: float = 1.0
