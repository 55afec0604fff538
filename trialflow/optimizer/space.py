"""The search space: parameters with their values, choices that make some of them inactive, and linear constraints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

from trialflow.errors import InvalidInput, TrialflowError

Assignment = float | int | str


class SpaceExhausted(TrialflowError):
    """Every point of a finite space is known or pending: there is nothing left to suggest."""


class UnsupportedExperiment(InvalidInput):
    """The experiment asks for something that the optimizer does not do yet; the message names it."""


@dataclass(frozen=True)
class NormalPrior:
    """Good values are believed to be normally distributed, in the parameter's own units."""

    mean: float
    scale: float


@dataclass(frozen=True)
class BetaPrior:
    """Good values are believed to be beta distributed over the parameter's bounds."""

    shape_a: float
    shape_b: float


@dataclass(frozen=True)
class Parameter:
    """One parameter. `bounds` are inclusive and in its own units; `grid` lists the only values in their place; `log` searches its logarithm.

    It is active, and part of the assignments, where every conditional of `conditions` has one of the values listed for it.
    """

    name: str
    type: Literal["double", "int", "categorical"]
    bounds: tuple[float, float] | None = None
    grid: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None
    log: bool = False
    prior: NormalPrior | BetaPrior | None = None
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def values(self) -> tuple[Assignment, ...] | None:
        """All values of a categorical or grid parameter in order; None for others, ints too."""
        if self.type == "categorical":
            return self.categories
        if self.grid is not None:
            return tuple(sorted(int(value) if self.type == "int" else float(value) for value in self.grid))
        return None

    @property
    def size(self) -> int | None:
        """How many values it has; None if they cannot be counted."""
        if self.values is not None:
            return len(self.values)
        if self.type == "int" and self.bounds:
            return int(self.bounds[1]) - int(self.bounds[0]) + 1
        return None


@dataclass(frozen=True)
class Conditional:
    """A choice that is part of the assignments and decides which parameters are active."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class LinearConstraint:
    """The sum of weight times value has to be at most (`less_than`) or at least (`greater_than`) the threshold."""

    type: Literal["less_than", "greater_than"]
    threshold: float
    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Space:
    """Everything that can be tried."""

    parameters: tuple[Parameter, ...]
    conditionals: tuple[Conditional, ...] = ()
    linear_constraints: tuple[LinearConstraint, ...] = ()

    @cached_property
    def dimensions(self) -> tuple[Parameter, ...]:
        """The conditionals, as categorical parameters, then the parameters."""
        return tuple(Parameter(one.name, "categorical", categories=one.values) for one in self.conditionals) + self.parameters

    @cached_property
    def size(self) -> int | None:
        """How many points there are; None if they cannot be counted. With conditionals or constraints an upper bound."""
        sizes = [one.size for one in self.dimensions]
        return None if any(size is None for size in sizes) else prod(size for size in sizes if size is not None)

    def is_active(self, parameter: Parameter, point: Mapping[str, Assignment]) -> bool:
        """Whether the conditionals in `point` make the parameter part of it."""
        return all(point.get(name) in values for name, values in parameter.conditions.items())
