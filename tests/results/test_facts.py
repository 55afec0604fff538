"""Experiments and training runs as rows, and what the optimizer expects in words."""

from typing import Any

import pytest

from trialflow.results.facts import belief_lines, changed_fields, flat_rows, lost_of, namesake, run_fact, status_of

EXPERIMENT = {"metrics": [{"name": "loss", "objective": "minimize"}, {"name": "acc", "objective": "maximize"}]}
BELIEF = {
    "metric": "loss",
    "best": {"lr": 0.001234567, "kind": "adam"},
    "value": 0.25,
    "stddev": 0.01,
    "noise": 0.003,
    "length_scales": {"lr": 0.3},
    "importances": {"lr": 0.9, "kind": 0.099, "seed": 0.001},
}


def test_what_is_expected_has_a_place_a_value_a_spread_and_what_matters() -> None:
    assert belief_lines(EXPERIMENT, [BELIEF]) == [
        "loss: expected lowest at lr=0.0012346, kind=adam",
        "  predicted there: 0.25 +/- 0.01; noise of one measurement: 0.003",
        "  importance: lr 90%, kind 10%; 1 other below 1%",
    ]


def test_the_highest_is_wanted_of_a_maximized_metric_and_nothing_known_says_nothing() -> None:
    assert belief_lines(EXPERIMENT, [{**BELIEF, "metric": "acc"}])[0].startswith("acc: expected highest")
    assert belief_lines(EXPERIMENT, []) == []


@pytest.mark.parametrize("strategy", ["store", "constraint"])
def test_a_metric_that_is_not_optimized_has_no_best(strategy: str) -> None:
    experiment = {"metrics": [{"name": "loss", "objective": None, "strategy": strategy}, {"name": "acc"}]}
    assert [line for line in belief_lines(experiment, [BELIEF, {**BELIEF, "metric": "acc"}]) if "expected" in line] == [
        "acc: expected highest at lr=0.0012346, kind=adam"
    ]


def test_a_metric_and_a_parameter_of_the_same_name_have_a_column_each() -> None:
    run = {"id": "1", "name": "r", "state": "completed", "values": {"x": {"value": 2.0}}, "assignments": {"x": 1.0, "id": 3}}
    headings, rows = flat_rows([run])
    assert headings[-3:] == ["x (metric)", "id (parameter)", "x"] and rows[0][-3:] == [2.0, 3, 1.0]


@pytest.mark.parametrize("kept", ["x", [], {"a": 1}, -1, float("nan"), float("inf"), 1e300, "7"])
def test_what_a_model_wrote_into_the_metadata_of_trialflow_counts_as_nothing(kept: Any) -> None:
    run = {"id": "1", "name": "r", "state": "completed", "dev_metadata": {"trialflow_attempt": kept, "trialflow_lost": kept}}
    assert (run_fact(run)["attempt"], run_fact(run)["lost"], lost_of([run])) == (1, 0, 0)


@pytest.mark.parametrize(
    ("experiment", "owner", "status"),
    [
        ({"state": "deleted"}, None, "archived"),
        ({"state": "active", "budget": 3, "progress": {"finished_run_count": 3, "total_run_count": 3}}, None, "finished"),
        ({"state": "active", "budget": 3, "progress": {"finished_run_count": 1, "total_run_count": 2}}, None, "unfinished"),
        ({"state": "active", "budget": 3, "progress": {"finished_run_count": 0, "total_run_count": 0}}, None, "new"),
        ({"state": "active", "budget": 3, "progress": {}}, "me", "running (me)"),
    ],
)
def test_the_status_of_an_experiment_is_one_of_five(experiment: dict[str, Any], owner: str | None, status: str) -> None:
    assert status_of(experiment, owner) == status


def test_the_namesake_is_the_newest_earlier_experiment_of_the_same_name_with_results() -> None:
    def one(number: int, name: str = "mine", done: int = 3) -> dict[str, Any]:
        return {"id": str(number), "name": name, "progress": {"finished_run_count": done}}

    others = [one(12), one(11, "other"), one(10, done=0), one(9), one(8), one(13)]
    assert namesake(one(12, done=0), others) == one(9)
    assert namesake(one(12, done=0), [one(12), one(11, "other")]) is None


def test_what_changed_between_two_experiments_is_named() -> None:
    old = {"parameters": [{"name": "x", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "m"}], "conditionals": [], "budget": 3}
    assert changed_fields(old, {**old, "budget": 9, "conditionals": None}) == []
    assert changed_fields({**old, "parameters": [], "linear_constraints": [{}]}, old) == ["parameters", "linear constraints"]
