"""Which results of an earlier experiment still mean the same in a later one."""

from typing import Any

import pytest

from tasks.experiments.carrying import carry_over, champion_of, known_from
from trialflow.metadata_keys import EARLIER, KNOWN, WINNER

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
LAYERS = {"name": "layers", "type": "int", "bounds": {"min": 1, "max": 4}}
KIND = {"name": "kind", "type": "categorical", "categorical_values": [{"name": "a"}, {"name": "b"}]}
LOSS = {"name": "loss", "strategy": "optimize", "objective": "minimize"}


def experiment(*parameters: dict[str, Any], metrics: Any = (LOSS,), **more: Any) -> dict[str, Any]:
    return {"id": "7", "parameters": list(parameters or (X, LAYERS, KIND)), "metrics": list(metrics), **more}


def run(number: int, loss: float = 1.0, *, state: str = "completed", dev: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    more = {"name": f"known-{number}" if dev else f"run-{number}", "state": state, "dev_metadata": dev or {}}
    return {
        "id": str(number),
        "experiment": "7",
        "assignments": {"x": 0.5, "layers": 2, "kind": "a", **given},
        "values": {"loss": {"value": loss}},
        **more,
    }


def test_the_same_file_takes_over_all_that_completed_newest_first() -> None:
    made = carry_over(experiment(), experiment(), [run(1), run(2, state="failed"), run(3, state="active"), run(4)])
    assert [one["id"] for one in made.runs] == ["4", "1"] and made.left == {}
    assert made.sentences == ("2 of 2 earlier results are taken over from experiment 7.",)


def test_points_outside_of_narrowed_bounds_are_left_out_and_widened_ones_lose_nothing() -> None:
    narrow = experiment({**X, "bounds": {"min": 0, "max": 0.6}}, {**LAYERS, "bounds": {"min": 1, "max": 9}}, KIND)
    made = carry_over(narrow, experiment(), [run(1, x=0.5), run(2, x=0.7), run(3, x=0.9)])
    assert [one["id"] for one in made.runs] == ["1"]
    assert made.left == {"2": "x is outside of its bounds", "3": "x is outside of its bounds"}
    assert made.sentences == (
        "1 of 3 earlier results are taken over from experiment 7.",
        "x is between 0 and 0.6 now, and was between 0 and 1.",
        "layers is between 1 and 9 now, and was between 1 and 4.",
        "2 are left out: x is outside of its bounds.",
    )


def test_a_new_parameter_with_a_default_is_filled_with_it() -> None:
    more = experiment(X, LAYERS, KIND, {"name": "dropout", "type": "double", "bounds": {"min": 0, "max": 1}, "default_value": 0.1})
    made = carry_over(more, experiment(), [run(1)])
    assert made.runs[0]["assignments"] == {"x": 0.5, "layers": 2, "kind": "a", "dropout": 0.1}
    assert "dropout is new: earlier results count as having its default_value 0.1." in made.sentences


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (experiment(X, LAYERS, KIND, {**X, "name": "dropout"}), "the parameter dropout is new and has no default_value"),
        (experiment(X, LAYERS), "the parameter kind was removed, and earlier results depend on it"),
        (experiment({**X, "name": "renamed"}, LAYERS, KIND), "the parameter renamed is new and has no default_value"),
        (experiment({**X, "type": "int"}, LAYERS, KIND), "the parameter x is of type int now, and was of type double"),
        (experiment(metrics=[{**LOSS, "objective": "maximize"}]), "the metric loss is to be maximized now, and was to be minimized"),
        (experiment(metrics=[{**LOSS, "name": "error"}]), "the metric error is new"),
    ],
)
def test_what_changes_the_meaning_leaves_everything_out_and_says_why(target: dict[str, Any], reason: str) -> None:
    made = carry_over(target, experiment(), [run(1), run(2)])
    assert made.runs == () and set(made.left.values()) == {reason}
    assert made.sentences[-1] == f"2 are left out: {reason}." and made.sentences[0].startswith("0 of 2")


def test_a_choice_that_is_gone_leaves_out_the_points_that_have_it() -> None:
    made = carry_over(experiment(X, LAYERS, {**KIND, "categorical_values": ["a", "c"]}), experiment(), [run(1), run(2, kind="b")])
    assert [one["id"] for one in made.runs] == ["1"] and made.left == {"2": "kind=b is no choice any more"}


def test_a_constraint_that_was_not_measured_leaves_out_and_a_stored_metric_does_not() -> None:
    constrained = experiment(metrics=[LOSS, {"name": "size", "strategy": "constraint", "threshold": 3}])
    assert carry_over(constrained, experiment(), [run(1)]).left == {"1": "there is no value of size"}
    assert carry_over(experiment(metrics=[LOSS, {"name": "size", "strategy": "store"}]), experiment(), [run(1)]).left == {}


def test_of_too_many_those_measured_last_are_taken_before_those_that_were_taken_over_themselves() -> None:
    old = [run(number, dev={KNOWN: "experiment 6", EARLIER: 1}) for number in (3, 4)]
    made = carry_over(experiment(), experiment(), [run(1), run(2), *old], most=3)
    assert [one["id"] for one in made.runs] == ["2", "1", "4"] and made.left == {"3": "there are newer ones"}


def test_the_champion_is_the_winner_of_last_time_else_the_best_that_was_measured_then() -> None:
    runs = [run(1, 0.3), run(2, 0.2), run(3, 0.1, dev={KNOWN: "experiment 6", EARLIER: 1})]
    made = carry_over(experiment(), experiment(), runs)
    best, winner = champion_of(experiment(), experiment(), made), champion_of(experiment(), experiment(metadata={WINNER: "1"}), made)
    assert best is not None and best["id"] == "2" and winner is not None and winner["id"] == "1"
    assert champion_of(experiment(), experiment(), carry_over(experiment(), experiment(), [])) is None


def test_what_is_taught_says_where_it_is_from_and_how_old_it_is() -> None:
    new, old = known_from(experiment(), run(1)), known_from(experiment(), run(2, dev={KNOWN: "experiment 6", EARLIER: 2}))
    assert new["dev_metadata"] == {KNOWN: "experiment 7, training run 1", EARLIER: 1} and old["dev_metadata"][EARLIER] == 3
    assert new["name"] == known_from(experiment(), run(1))["name"] != old["name"] and new["name"].startswith("known-")
