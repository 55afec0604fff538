"""Choices that decide which parameters of an experiment are active."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from trialflow.specs.parameter import ParameterSpec
from trialflow.specs.strict import Name, Short, Strict, Violation

MOST_STEPS = 20_000
"""Steps of the search for a combination without active parameter. What takes more was not written by hand, and is let pass."""


class ConditionalSpec(Strict):
    """A choice that decides which parameters are active. It is part of the assignments."""

    name: Name = Field(description="The name of the choice.")
    values: list[Short] = Field(min_length=2, description="What can be chosen.")


def conditional_rules(conditionals: Sequence[ConditionalSpec], parameters: Sequence[ParameterSpec]) -> Iterator[Violation]:
    """What is wrong between `conditionals` and the parameters that depend on them; indexes are those in the experiment."""
    choices = {one.name: one.values for one in conditionals}
    names = {one.name for one in parameters}
    for index, choice in enumerate(conditionals):
        if choice.name in names:
            yield Violation(("conditionals", index, "name"), f"{choice.name!r} is the name of a parameter too; names must differ")
        if len(set(choice.values)) < len(choice.values):
            yield Violation(("conditionals", index, "values"), "the same value twice; values must differ")
    wrong = False
    for index, one in enumerate(parameters):
        for violation in _condition_rules(one, choices):
            wrong = True
            yield Violation(("parameters", index, *violation.at), violation.text)
    if choices and not wrong and (idle := without_active(choices, [one.conditions for one in parameters])) is not None:
        text = ", ".join(f"{name}={value}" for name, value in idle.items())
        yield Violation(("conditionals",), f"with {text} no parameter is active; at least one must be")


def _condition_rules(one: ParameterSpec, choices: Mapping[str, Sequence[str]]) -> Iterator[Violation]:
    for name, values in one.conditions.items():
        at = ("conditions", name)
        if name not in choices:
            yield Violation(at, f"there is no conditional {name!r}" + (f"; there are {', '.join(choices)}" if choices else ""))
        elif unknown := [value for value in values if value not in choices[name]]:
            yield Violation(at, f"{unknown[0]!r} is no value of {name!r}; it has {', '.join(choices[name])}")


def without_active(choices: Mapping[str, Sequence[str]], conditions: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, str] | None:
    """A combination of values that makes none of the parameters with these `conditions` active, None if there is none.

    The combination names only the conditionals that it takes.
    """
    steps = 0

    def search(left: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, str] | None:
        nonlocal steps
        steps += 1
        if not left:
            return {}
        shortest = min(left, key=len)
        if not shortest or steps > MOST_STEPS:
            return None  # active whatever is chosen for the rest
        name = next(iter(shortest))
        for value in choices[name]:
            still = [{key: one[key] for key in one if key != name} for one in left if value in one.get(name, (value,))]
            if (found := search(still)) is not None:
                return {name: value, **found}
        return None

    return search(list(conditions))
