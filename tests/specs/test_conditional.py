"""Whether some combination of choices leaves no parameter active."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from trialflow.specs import ExperimentSpec
from trialflow.specs.conditional import without_active

CHOICES = {"a": "xyz", "b": "xy", "c": "xyz"}
CONDITIONS = st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("xy"), min_size=1, unique=True), max_size=3)


def is_active(condition: dict[str, list[str]], chosen: dict[str, str]) -> bool:
    return all(chosen[name] in values for name, values in condition.items())


@settings(max_examples=200, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=6))
def test_it_finds_what_trying_every_combination_finds(conditions: list[dict[str, list[str]]]) -> None:
    every = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
    exists = any(not any(is_active(one, chosen) for one in conditions) for chosen in every)
    found = without_active(CHOICES, conditions)
    assert (found is not None) is exists
    if found is not None:
        assert not any(is_active(one, {"a": "x", "b": "x", "c": "x", **found}) for one in conditions)


def test_many_choices_are_searched_at_once() -> None:
    parameters = [
        {"name": f"p{index}", "type": "int", "bounds": {"min": 0, "max": 1}, "conditions": {f"c{index}": ["a", "b", "d", "e"]}} for index in range(30)
    ]
    parameters.append({"name": "always", "type": "int", "bounds": {"min": 0, "max": 1}})
    conditionals = [{"name": f"c{index}", "values": ["a", "b", "c", "d", "e"]} for index in range(30)]
    spec = ExperimentSpec.model_validate({"name": "x", "parameters": parameters, "conditionals": conditionals, "metrics": [{"name": "m"}]})
    assert len(spec.parameters) == 31
