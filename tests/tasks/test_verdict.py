"""Champion and challenger, compared by what was measured of both on the same data."""

from pathlib import Path
from typing import Any

import pytest

from tasks.experiments.verdict import Verdict, judge, repeats, unlearnable
from tasks.experiments.winners import export_winner, verdict_page
from trialflow.home import Home
from trialflow.metadata_keys import EARLIER, KNOWN
from trialflow.specs import ExperimentSpec, RunSpec, load_run

OLD, NEW, OTHER = {"x": 0.1}, {"x": 0.9}, {"x": 0.4}
METRIC = {"name": "y", "objective": "maximize"}


def runs(*measured: tuple[dict[str, float], float]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(number),
            "name": f"run-{number}",
            "state": "completed",
            "assignments": point,
            "values": {"y": {"value": value}},
            "dev_metadata": {},
        }
        for number, (point, value) in enumerate(measured, 1)
    ]


def verdict(*measured: tuple[dict[str, float], float], metric: dict[str, Any] = METRIC) -> Verdict:
    found = judge({"metrics": [metric]}, runs(*measured), OLD)
    assert found is not None
    return found


def test_the_value_that_a_challenger_was_chosen_for_does_not_count_once_it_was_measured_again() -> None:
    found = verdict((OLD, 1.0), (OLD, 1.1), (NEW, 9.0), (OTHER, 2.0), (NEW, 0.5), (NEW, 0.6), (OLD, 1.2))
    assert found.better == "champion" and found.winner.values == (1.0, 1.1, 1.2)
    assert found.challenger is not None and found.challenger.values == (0.5, 0.6) and found.is_clear
    assert found.difference == pytest.approx(-0.55) and "The champion (training run 7) is better" in found.sentence()


def test_a_repeat_that_is_lucky_does_not_make_another_challenger() -> None:
    found = verdict((OLD, 1.0), (NEW, 2.0), (OTHER, 1.9), (NEW, 1.8), (OTHER, 5.0))
    assert found.challenger is not None and found.challenger.assignments == NEW


def test_a_difference_that_chance_may_have_made_is_not_called_clear() -> None:
    found = verdict((OLD, 1.0), (OLD, 2.0), (NEW, 1.8), (NEW, 1.2), (NEW, 2.2))
    assert found.better == "challenger" and not found.is_clear and "taken, though not clearly better" in found.sentence()


def test_without_repeats_nothing_is_known_of_chance() -> None:
    found = verdict((OLD, 1.0), (NEW, 2.0))
    assert found.better == "challenger" and found.low is None and not found.is_clear


def test_values_that_repeat_exactly_leave_nothing_to_chance() -> None:
    found = verdict((OLD, 1.0), (OLD, 1.0), (NEW, 1.5))
    assert found.is_clear and found.low == found.high == 0.5 and "between" not in found.sentence()


def test_less_is_better_where_the_metric_is_minimized() -> None:
    assert verdict((OLD, 1.0), (NEW, 0.5), metric={**METRIC, "objective": "minimize"}).better == "challenger"


def test_a_side_that_could_not_be_measured_leaves_the_other() -> None:
    assert verdict((NEW, 0.5)).sentence() == "The challenger (training run 1) is taken: the champion could not be measured."
    assert verdict((OLD, 0.5)).better == "champion"
    assert judge({"metrics": [METRIC]}, [], OLD) is None


def test_earlier_results_and_what_breaks_a_constraint_are_no_sides() -> None:
    known = [{**one, "name": "known-1", "dev_metadata": {KNOWN: "experiment 1", EARLIER: 1}} for one in runs((NEW, 9.0))]
    found = judge({"metrics": [METRIC]}, [*known, *runs((OLD, 1.0))], OLD)
    assert found is not None and found.challenger is None
    constrained = {"metrics": [METRIC, {"name": "size", "strategy": "constraint", "threshold": 3}]}
    assert judge(constrained, runs((NEW, 9.0)), OLD) is None


@pytest.mark.parametrize(
    ("budget", "first", "count"), [(12, [1.0, 1.1], 1), (29, [1.0, 1.1], 2), (100, [1.0, 1.1], 3), (100, [1.0, 1.0], 0), (30, [1.0], 3)]
)
def test_both_are_repeated_by_a_tenth_of_the_budget_unless_the_model_is_exact(budget: int, first: list[float], count: int) -> None:
    assert repeats(budget, first) == count


def test_what_cannot_learn_says_why() -> None:
    base = {"name": "e", "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "y"}], "budget": 20}

    def why(**changed: Any) -> str | None:
        return unlearnable(ExperimentSpec.model_validate({**base, **changed}))

    assert why() is None
    assert "search is random" in str(why(type="random")) and "budget is below 8" in str(why(budget=7)) and "below 8" in str(why(budget=None))
    assert "other than one metric" in str(why(metrics=[{"name": "y"}, {"name": "z"}])) and "several solutions" in str(why(num_solutions=2))


def test_the_winners_run_file_is_written_and_can_be_run(tmp_path: Path) -> None:
    run = RunSpec.model_validate({"run": "python model.py", "env": {"A": 1}})
    found = verdict((OLD, 1.0), (NEW, 2.0))
    path = export_winner(Home(tmp_path / "home"), "My nightly", run, found)
    assert path.name == "my-nightly.yml" and load_run(path).assignments == NEW and load_run(path).env == run.env
    page = verdict_page({"name": "a|b"}, run, found, path)
    assert "a\\|b" in page and "| champion | 1 | 1 |" in page and str(path) in page and "x: 0.9" in page
    export_winner(Home(tmp_path / "home"), "My nightly", run, verdict((OLD, 1.0)))
    assert load_run(path).assignments == OLD and len(list(path.parent.iterdir())) == 1
