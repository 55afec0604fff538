"""One metric of an experiment."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator

from trialflow.specs.strict import Name, Number, Strict, Violation, refuse


class MetricSpec(Strict):
    """A value that the model logs: to optimize, to keep within a threshold (constraint), or just to store."""

    name: Name = Field(description="The name that the model logs it by.")
    objective: Literal["maximize", "minimize"] | None = Field(default=None, description="Which way is better; maximize unless it says minimize.")
    strategy: Literal["optimize", "constraint", "store"] | None = Field(
        default=None, description="What it is for; optimize unless it says otherwise."
    )
    threshold: Number | None = Field(default=None, description="The value that a constraint, or one of two optimized metrics, has to reach.")

    @model_validator(mode="after")
    def _rules(self) -> "MetricSpec":
        refuse(list(_rules(self)))
        return self

    @property
    def is_optimized(self) -> bool:
        """Whether it is to be optimized."""
        return self.strategy in (None, "optimize")

    def to_api(self) -> dict[str, Any]:
        """The JSON that the API takes, with the defaults written out."""
        return {
            "name": self.name,
            "objective": self.objective or "maximize",
            "strategy": self.strategy or "optimize",
            **({} if self.threshold is None else {"threshold": self.threshold}),
        }


def _rules(one: MetricSpec) -> Iterator[Violation]:
    if one.strategy == "constraint" and one.threshold is None:
        yield Violation(("threshold",), "missing: a constraint needs the value that it has to reach")
    if one.strategy == "store" and one.threshold is not None:
        yield Violation(("threshold",), "a stored metric has none")
