"""The table of training runs: rows, order and columns as the address asks for them."""

from typing import Any

import pytest

from trialflow.service.pages.overview import sparkline
from trialflow.service.pages.rendering import root_of
from trialflow.service.pages.table import PAGE, Query, as_csv, grouped_reasons, table_of

EXPERIMENT = {"metrics": [{"name": "accuracy"}], "parameters": [{"name": "lr"}, {"name": "kind"}]}


def run(number: int, accuracy: float | None = None, state: str = "completed", **dev: Any) -> dict[str, Any]:
    values = {} if accuracy is None else {"accuracy": {"value": accuracy}}
    kept = {f"trialflow_{key}": value for key, value in dev.items()}
    own = {"assignments": {"lr": number / 10, "kind": "adam" if number % 2 else "sgd"}, "metadata": {"gpu": "A100"}}
    return {"id": number, "name": f"run-{number}", "state": state, "values": values, "created": 5, "completed": 9, **own, "dev_metadata": kept}


RUNS = [
    run(1, 0.9),
    run(2, 0.7),
    run(3, None, "failed", reason="exit code 1"),
    run(4, 0.8, lost=2, reason="evicted"),
    run(5, 0.6, stopped_early="slow"),
]


def ids(text: str = "", **asked: Any) -> list[int]:
    return [one["id"] for one in table_of(EXPERIMENT, RUNS, Query(text=text, **asked)).rows]


def test_the_newest_come_first_and_any_column_sorts_with_what_is_missing_last() -> None:
    assert ids() == [5, 4, 3, 2, 1]
    assert ids(sort="metric:accuracy") == [1, 4, 2, 5, 3]
    assert ids(sort="metric:accuracy", is_descending=False) == [5, 2, 4, 1, 3]
    assert ids(sort="no such column") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("accuracy > 0.75", [4, 1]),
        ("accuracy<=0.7", [5, 2]),
        ("lr = 0.3", [3]),
        ("kind=adam", [5, 3, 1]),
        ("kind != adam", [4, 2]),
        ("gpu=A100", [5, 4, 3, 2, 1]),
        ("EXIT code", [3]),
        ("run-4", [4]),
        ("accuracy > many", []),
        ("nothing like it", []),
    ],
)
def test_a_filter_compares_a_column_or_looks_for_a_text(text: str, found: list[int]) -> None:
    assert ids(text) == found


def test_states_narrow_the_rows_and_lost_is_one_of_them() -> None:
    assert ids(states=("failed", "stopped")) == [5, 3] and ids(states=("lost",)) == [4]


def test_a_comparison_with_an_unknown_column_says_so() -> None:
    assert "accuray" in (table_of(EXPERIMENT, RUNS, Query(text="accuray > 0.5")).problem or "")


def test_columns_can_be_chosen_and_those_about_failures_come_only_with_failures() -> None:
    assert [one.title for one in table_of(EXPERIMENT, RUNS, Query()).columns] == ["id", "state", "accuracy", "lr", "kind", "lost", "reason"]
    assert [one.title for one in table_of(EXPERIMENT, RUNS[:2], Query()).columns] == ["id", "state", "accuracy", "lr", "kind"]
    assert as_csv(table_of(EXPERIMENT, RUNS[:2], Query(columns=("fact:id", "metadata:gpu")), every=True)) == "id,gpu\n2,A100\n1,A100\n"


def test_pages_have_a_hundred_rows_and_one_that_is_not_there_is_the_last() -> None:
    many = [run(number, 0.5) for number in range(1, 2 * PAGE + 31)]
    last = table_of(EXPERIMENT, many, Query(page=99))
    assert (len(last.rows), last.pages, last.count) == (30, 3, 230)


@pytest.mark.parametrize("query", [{"page": "-1"}, {"page": "x"}, {"sort": ""}, {"state": "bad"}, {"where": "=" * 2000}, {"page": "9" * 400}])
def test_an_address_that_makes_no_sense_is_as_if_it_were_not_there(query: dict[str, str]) -> None:
    table_of(EXPERIMENT, RUNS, Query.of(list(query.items())))


def test_an_address_says_what_it_asks_for() -> None:
    asked = Query(sort="metric:a&b", is_descending=False, states=("failed",), text="x > 1", columns=("fact:id", "parameter:p q"), page=3)
    from urllib.parse import parse_qsl

    assert Query.of(parse_qsl(asked.address(page=3)[1:])) == asked


def test_reasons_that_differ_in_numbers_only_are_one() -> None:
    runs = [run(number, None, "failed", reason=f"exit code 1 after {number} s") for number in (1, 2)] + RUNS
    assert [(one["kind"], len(one["runs"])) for one in grouped_reasons(runs)] == [("failed", 2), ("lost", 1), ("failed", 1)]


def test_links_are_relative_to_whatever_lies_before_the_page() -> None:
    assert [root_of(path) for path in ("/", "/compare", "/experiments/3", "/experiments/3/live")] == ["./", "./", "../", "../../"]


def test_a_line_needs_two_values_and_stays_in_its_box() -> None:
    assert sparkline([1.0]) is None
    places = [tuple(map(float, one.split(","))) for one in (sparkline([float(x) for x in range(500)]) or "").split()]
    assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in places) and places[-1][0] == 120
