"""Results that are taken along from one experiment to another."""

from typing import Any

import pytest

from tasks.experiments.copying import misfit, plan_copy

TARGET = {
    "id": "2",
    "parameters": [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "layers", "type": "int", "bounds": {"min": 1, "max": 4}},
        {"name": "kind", "type": "categorical", "categorical_values": [{"name": "a"}, {"name": "b"}]},
    ],
    "metrics": [{"name": "loss", "strategy": "optimize"}, {"name": "seconds", "strategy": "store"}],
}


def run(number: int = 7, *, state: str = "completed", values: dict[str, float] | None = None, **changed: Any) -> dict[str, Any]:
    given = {"x": 0.5, "layers": 2, "kind": "a", **changed}
    measured = {name: {"value": value} for name, value in ({"loss": 1.0} if values is None else values).items()}
    return {"id": str(number), "name": f"run-{number}", "experiment": "1", "state": state, "assignments": given, "values": measured}


def test_what_fits_is_copied_oldest_first_with_what_the_experiment_knows() -> None:
    made = plan_copy(TARGET, [run(9), run(7, values={"loss": 1.0, "other": 2.0}, extra=3), run(8, state="failed"), run(6, state="active")], [])
    assert [one["name"] for one in made.new] == ["from-1-7", "from-1-9"] and made.skipped == {}
    assert made.new[0]["values"] == {"loss": {"value": 1.0}} and set(made.new[0]["assignments"]) == {"x", "layers", "kind"}
    assert {one["state"] for one in made.new} == {"completed"}


def test_what_was_copied_before_is_not_copied_again() -> None:
    made = plan_copy(TARGET, [run(7), run(8)], [{"name": "from-1-7"}])
    assert [one["name"] for one in made.new] == ["from-1-8"] and made.skipped == {"7": "it was copied before"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"x": 5.0}, None),
        ({"kind": "c"}, "kind=c is not a value of this experiment"),
        ({"layers": 2.5}, "layers=2.5 is not a value of this experiment"),
        ({"x": "high"}, "x=high is not a value of this experiment"),
        ({"values": {"seconds": 1.0}}, "it has no value of loss"),
    ],
)
def test_what_does_not_fit_is_skipped_with_the_reason(changed: dict[str, Any], reason: str | None) -> None:
    assert misfit(TARGET, run(**changed)) == reason


def test_a_parameter_that_the_old_experiment_had_not_is_a_reason() -> None:
    more = {**TARGET, "parameters": [*TARGET["parameters"], {"name": "rate", "type": "double"}]}
    assert misfit(more, run()) == "it has no rate"


def test_conditional_parameters_have_to_be_there_exactly_where_they_are_active() -> None:
    rate = {"name": "rate", "type": "double", "conditions": {"kind": ["b"]}}
    conditional = {**TARGET, "parameters": [TARGET["parameters"][0], rate], "conditionals": [{"name": "kind", "values": ["a", "b"]}]}
    assert misfit(conditional, run()) is None and misfit(conditional, run(kind="b", rate=0.1)) is None
    assert misfit(conditional, run(kind="b")) == "it has no rate" and misfit(conditional, run(rate=0.1)) == "its rate is not active"
    assert misfit(conditional, run(kind="z")) == "it has no kind of this experiment"
