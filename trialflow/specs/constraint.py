"""Linear constraints between the parameters of an experiment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from trialflow.specs.feasible import can_hold
from trialflow.specs.parameter import ParameterSpec
from trialflow.specs.strict import Number, Strict, Text, Violation

MOST_CONSTRAINED_INTS = 10


class TermSpec(Strict):
    """One term of a linear constraint."""

    name: Text = Field(description="A numeric parameter.")
    weight: Number = Field(description="What it is multiplied with.")


class LinearConstraintSpec(Strict):
    """The weighted sum of parameters has to stay below or above a threshold."""

    type: Literal["less_than", "greater_than"] = Field(description="Which side of the threshold is allowed.")
    threshold: Number = Field(description="The bound of the sum.")
    terms: list[TermSpec] = Field(min_length=1, description="The parameters and their weights.")


def constraint_rules(constraints: Sequence[LinearConstraintSpec], parameters: Sequence[ParameterSpec]) -> Iterator[Violation]:
    """What is wrong between `constraints` and the parameters that they name; indexes are those in the experiment."""
    known = {one.name: one for one in parameters}
    broken = False
    for index, constraint in enumerate(constraints):
        for violation in _own_rules(constraint, known):
            broken = True
            yield Violation(("linear_constraints", index, *violation.at), violation.text)
    ints = {term.name for one in constraints for term in one.terms if term.name in known and known[term.name].type == "int"}
    if len(ints) > MOST_CONSTRAINED_INTS:
        yield Violation(("linear_constraints",), f"{len(ints)} constrained int parameters; at most {MOST_CONSTRAINED_INTS}")
    if constraints and not broken and not _can_hold(constraints, known):
        yield Violation(("linear_constraints",), "within the bounds of the parameters they cannot all hold together")


def _own_rules(constraint: LinearConstraintSpec, known: Mapping[str, ParameterSpec]) -> Iterator[Violation]:
    kinds, seen, broken = set(), set(), False
    for index, term in enumerate(constraint.terms):
        at = ("terms", index, "name")
        one = known.get(term.name)
        if term.name in seen:
            broken = True
            yield Violation(at, f"{term.name!r} is there twice")
        elif one is None:
            broken = True
            yield Violation(at, f"there is no parameter {term.name!r}; there are {', '.join(known)}")
        elif one.type == "categorical" or one.is_log or one.bounds is None or one.conditions:
            broken = True
            yield Violation(at, f"{term.name!r} cannot be constrained: only int and double without log, grid or conditions can")
        else:
            kinds.add(one.type)
        seen.add(term.name)
    if len(kinds) > 1:
        yield Violation(("terms",), "int and double parameters in one constraint; use one kind")
    if not broken and not _can_hold([constraint], known):
        yield Violation(("threshold",), f"{constraint.threshold} cannot be reached within the bounds of the parameters")


def _can_hold(constraints: Sequence[LinearConstraintSpec], known: Mapping[str, ParameterSpec]) -> bool:
    names = sorted({term.name for one in constraints for term in one.terms})
    bounds = [known[name].bounds for name in names]
    rows, limits = [], []
    for one in constraints:
        sign = 1 if one.type == "less_than" else -1
        weights = {term.name: sign * term.weight for term in one.terms}
        rows.append([weights.get(name, 0) for name in names])
        limits.append(sign * one.threshold)
    return can_hold(rows, limits, [one.min for one in bounds if one], [one.max for one in bounds if one])
