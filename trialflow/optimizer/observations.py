"""Metrics, observations, and observations as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.multitask import cost_coordinate
from trialflow.optimizer.space import Assignment

Array = np.ndarray


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


@dataclass(frozen=True)
class Dataset:
    """Observations with their points as rows of `encoder`. With `with_costs`, task costs are one more coordinate, zero at full cost."""

    encoder: Encoder
    observations: Sequence[Observation]
    with_costs: bool = False

    @cached_property
    def _recognised(self) -> tuple[Array, Array]:
        return self.encoder.recognise([one.assignments for one in self.observations])

    @cached_property
    def rows(self) -> Array:
        """The points: (n, width), or (n, width + 1) with costs."""
        rows = self._recognised[0]
        return np.concatenate([rows, cost_coordinate(self.costs)[:, None]], axis=1) if self.with_costs else rows

    @property
    def known(self) -> Array:
        """The rows of observations that are points of this space exactly as it is now."""
        rows, exact = self._recognised
        return rows[exact & (self.costs >= 1.0)]

    @cached_property
    def costs(self) -> Array:
        """Task costs: (n,)."""
        return np.array([one.task_cost for one in self.observations], dtype=float)

    @cached_property
    def failed(self) -> Array:
        """For each observation whether it failed."""
        return np.array([one.failed for one in self.observations], dtype=bool)

    @cached_property
    def owner(self) -> Array:
        """For each coordinate of `rows` the number of its dimension."""
        owner = self.encoder.owner
        return np.append(owner, owner.max() + 1) if self.with_costs else owner

    def values(self, metric: Metric) -> tuple[Array, Array]:
        """The metric's values and their standard deviations (n,): nan where there is none."""
        pairs = [(np.nan, np.nan)] * len(self.observations)
        for index, one in enumerate(self.observations):
            value = None if one.failed else one.values.get(metric.name)
            if value is not None and np.isfinite(value.value):
                pairs[index] = (value.value, np.nan if value.stddev is None or not np.isfinite(value.stddev) else value.stddev)
        values, deviations = np.array(pairs, dtype=float).reshape(-1, 2).T
        return values, deviations

    def measured(self, metrics: Sequence[Metric]) -> Array:
        """For each observation whether it has a value of all of these metrics."""
        return np.all([np.isfinite(self.values(metric)[0]) for metric in metrics] + [np.ones(len(self.observations), dtype=bool)], axis=0)
