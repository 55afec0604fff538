"""`experiment.yml`: parameters, metrics and budget of an experiment, with the rules that SigOpt's server had."""

import json
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from trialflow.launcher.model import variable_of
from trialflow.metadata_keys import EARLY_STOPPING, MAX_COST, MLFLOW
from trialflow.specs.conditional import ConditionalSpec, conditional_rules
from trialflow.specs.constraint import LinearConstraintSpec, constraint_rules
from trialflow.specs.metric import MetricSpec
from trialflow.specs.mlflow import MlflowSpec, mlflow_rules
from trialflow.specs.parameter import ParameterSpec
from trialflow.specs.stopping import EarlyStoppingSpec, stopping_rules
from trialflow.specs.strict import IN_FILE, Name, Number, Positive, Strict, Text, Violation, refuse

MOST_METRICS, MOST_OPTIMIZED, MOST_CONSTRAINTS = 50, 2, 4
SENT_OTHERWISE = {"parameters", "metrics", "budget", "early_stopping", "max_cost", "mlflow"}
"""Fields that the API has in another form, or in the metadata."""
MOST_BYTES = 192 << 10
"""What the assignments of a training run may take: a pod's annotations hold 256 KiB."""


class ExperimentSpec(Strict):
    """A tuning job: what to vary, what to measure, and how many training runs it may take."""

    name: Name = Field(description="Shown in lists and in the UI.")
    parameters: list[ParameterSpec] = Field(min_length=1, description="What to vary.")
    metrics: list[MetricSpec] = Field(min_length=1, description="What the model logs.")
    budget: Positive | None = Field(default=None, description="How many training runs; without it there is no end.")
    parallel_bandwidth: Positive | None = Field(default=None, description="How many training runs at the same time; 1 by default.")
    type: Literal["offline", "random", "grid"] | None = Field(default=None, description="How to search: offline is Bayesian, the default.")
    conditionals: list[ConditionalSpec] | None = Field(default=None, description="Choices that decide which parameters are active.")
    linear_constraints: list[LinearConstraintSpec] | None = Field(
        default=None, description="Sums of parameters that have to stay within a threshold."
    )
    num_solutions: Positive | None = Field(default=None, description="How many different good solutions are looked for.")
    early_stopping: EarlyStoppingSpec | None = Field(default=None, description="Ends training runs that promise nothing; off by default.")
    max_cost: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="US dollars: no training run is started any more once the nodes used for it have cost so much."
    )
    mlflow: MlflowSpec | None = Field(default=None, description="Logs training runs to MLflow as they end; off by default.")
    metadata: dict[str, Number | Text | None] | None = Field(default=None, description="Facts of your own, kept with the experiment.")

    @model_validator(mode="after")
    def _rules(self, info: ValidationInfo) -> "ExperimentSpec":
        refuse(
            [
                *_name_rules(self),
                *_size_rules(self),
                *(_variable_rules(self) if info.context == IN_FILE else ()),
                *_metric_rules(self),
                *conditional_rules(self.conditionals or [], self.parameters),
                *constraint_rules(self.linear_constraints or [], self.parameters),
                *_kind_rules(self),
                *stopping_rules(self.early_stopping, self.metrics),
                *mlflow_rules(self.mlflow),
                *_metadata_rules(self.metadata or {}),
            ]
        )
        return self

    @property
    def optimized(self) -> list[MetricSpec]:
        """The metrics to optimize."""
        return [metric for metric in self.metrics if metric.is_optimized]

    @property
    def grid_size(self) -> int:
        """How many points a grid experiment has."""
        return prod(len(one.grid or one.categorical_values or []) for one in self.parameters)

    @property
    def full_budget(self) -> int | None:
        """The budget; for a grid the number of its points."""
        return self.grid_size if self.type == "grid" else self.budget

    def to_api(self) -> dict[str, Any]:
        """The body for `POST aiexperiments`."""
        body = self.model_dump(mode="json", exclude_none=True, exclude=SENT_OTHERWISE)
        body["parameters"] = [one.to_api() for one in self.parameters]
        body["metrics"] = [one.to_api() for one in self.metrics]
        if self.full_budget is not None:
            body["budget"] = self.full_budget
        kept: dict[str, Any] = {}
        if self.early_stopping is not None:
            kept[EARLY_STOPPING] = json.dumps(self.early_stopping.model_dump())
        if self.mlflow is not None:
            kept[MLFLOW] = json.dumps(self.mlflow.model_dump(exclude_none=True))
        if self.max_cost is not None:
            kept[MAX_COST] = self.max_cost
        if kept:
            body["metadata"] = {**(self.metadata or {}), **kept}
        return body


def _twice(names: list[str]) -> list[int]:
    seen: Counter[str] = Counter()
    indexes = []
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            indexes.append(index)
    return indexes


def _name_rules(spec: ExperimentSpec) -> Iterator[Violation]:
    for field, items in (("parameters", spec.parameters), ("metrics", spec.metrics), ("conditionals", spec.conditionals or [])):
        for index in _twice([item.name for item in items]):
            yield Violation((field, index, "name"), f"{items[index].name!r} is there twice; names must differ")


def _size_rules(spec: ExperimentSpec) -> Iterator[Violation]:
    size = sum(len(one.name.encode()) + max((len(value.encode()) for value in one.categorical_values or []), default=25) for one in spec.parameters)
    if size > MOST_BYTES:
        yield Violation(("parameters",), f"names and values take {size // 1024} KiB together; a training run can be given {MOST_BYTES >> 10} KiB")


def _variable_rules(spec: ExperimentSpec) -> Iterator[Violation]:
    first: dict[str, str] = {}
    for field, items in (("parameters", spec.parameters), ("conditionals", spec.conditionals or [])):
        for index, one in enumerate(items):
            variable = variable_of(one.name)
            other = first.setdefault(variable, one.name)
            if other != one.name:
                yield Violation((field, index, "name"), f"{one.name!r} and {other!r} are both {variable} in the model's environment; rename one")


def _metric_rules(spec: ExperimentSpec) -> Iterator[Violation]:
    optimized = [index for index, metric in enumerate(spec.metrics) if metric.is_optimized]
    constraints = [index for index, metric in enumerate(spec.metrics) if metric.strategy == "constraint"]
    if len(spec.metrics) > MOST_METRICS:
        yield Violation(("metrics",), f"{len(spec.metrics)} metrics; at most {MOST_METRICS}")
    if len(optimized) > MOST_OPTIMIZED:
        yield Violation(("metrics", optimized[-1], "strategy"), f"{len(optimized)} metrics to optimize; at most {MOST_OPTIMIZED}")
    if len(constraints) > MOST_CONSTRAINTS:
        yield Violation(("metrics", constraints[-1], "strategy"), f"{len(constraints)} constraints; at most {MOST_CONSTRAINTS}")
    if not optimized and not constraints:
        yield Violation(("metrics",), "all metrics are only stored; at least one has strategy optimize or constraint")
    for index in optimized:
        if spec.metrics[index].threshold is not None and len(optimized) < 2:
            yield Violation(("metrics", index, "threshold"), "only with two metrics to optimize; with one, use strategy constraint on another")
    if spec.full_budget is None:
        reason = "two metrics to optimize" if len(optimized) > 1 else "a constraint" if constraints else None
        reason = reason or ("num_solutions" if (spec.num_solutions or 1) > 1 else None)
        if reason:
            yield Violation(("budget",), f"missing: an experiment with {reason} needs one")


def _kind_rules(spec: ExperimentSpec) -> Iterator[Violation]:
    many = (spec.num_solutions or 1) > 1
    if many and len(spec.optimized) != 1:
        yield Violation(("num_solutions",), "more than one solution needs exactly one metric to optimize")
    if many and spec.full_budget is not None and spec.full_budget < (spec.num_solutions or 1):
        yield Violation(("num_solutions",), f"{spec.num_solutions} solutions do not fit into a budget of {spec.full_budget}")
    if spec.conditionals and (many or spec.type == "grid"):
        yield Violation(("conditionals",), f"not together with {'num_solutions' if many else 'type grid'}")
    if spec.type != "grid":
        return
    for index, one in enumerate(spec.parameters):
        if one.type != "categorical" and one.grid is None:
            yield Violation(("parameters", index, "grid"), "missing: in an experiment of type grid every numeric parameter lists its values")
            return
    if spec.budget is not None and spec.budget != spec.grid_size:
        yield Violation(("budget",), f"{spec.budget}, but the grid has {spec.grid_size} points; leave it out or give that number")


def _metadata_rules(metadata: dict[str, Any]) -> Iterator[Violation]:
    if len(metadata) > 100:
        yield Violation(("metadata",), f"{len(metadata)} keys; at most 100")
    for key, value in metadata.items():
        if len(key) > 100:
            yield Violation(("metadata", key), f"a key of {len(key)} characters; at most 100")
        if isinstance(value, str) and len(value) > 500:
            yield Violation(("metadata", key), f"{len(value)} characters; at most 500")
