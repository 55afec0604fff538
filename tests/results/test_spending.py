"""What training runs cost: a node is paid for from the first that uses it to the last, once, however many share it."""

from typing import Any

import pytest

from trialflow.events import Event
from trialflow.metadata_keys import NODE_USE
from trialflow.results.board import Board
from trialflow.results.report import report
from trialflow.results.spending import NodeUse, dollars, price_of, spent, spent_on, uses_of

EXPERIMENT: dict[str, Any] = {"id": "1", "name": "e", "budget": 4, "metrics": [{"name": "y"}], "progress": {"finished_run_count": 0}, "metadata": {}}


def use(node: str, begun: float, ended: float, price: float = 1.0) -> NodeUse:
    return NodeUse(node, price, begun * 3600, ended * 3600)


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ([], None),
        ([use("a", 0, 2)], 2.0),
        ([use("a", 0, 2), use("a", 1, 3)], 3.0),
        ([use("a", 0, 2), use("a", 0, 2)], 2.0),
        ([use("a", 0, 9), use("a", 1, 2), use("a", 8, 10)], 10.0),
        ([use("a", 0, 1), use("a", 5, 6)], 2.0),
        ([use("a", 0, 2), use("b", 0, 2, 0.5)], 3.0),
        ([use("a", 0, 2, 0.0)], 0.0),
    ],
)
def test_what_is_shared_is_paid_once(uses: list[NodeUse], expected: float | None) -> None:
    assert spent(uses) == (None if expected is None else pytest.approx(expected))


def test_what_was_written_down_is_read_again_and_what_is_none_is_passed_over() -> None:
    kept = {f"{NODE_USE}1": str(use("a", 0, 1)), f"{NODE_USE}2": "a nan 0 1", f"{NODE_USE}3": 7, f"{NODE_USE}4": "a 1 9 3", "other": "a 1 0 3600"}
    run = {"id": "1", "state": "active", "dev_metadata": kept}
    assert uses_of(run) == [use("a", 0, 1)] and spent_on([run, {"id": "2", "state": "active"}]) == 1.0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"type": "big"}, 2.0), ({"type": "small"}, None), ({"type": "big", "zone": "a"}, 3.0), ({}, None)],
)
def test_a_node_has_the_price_of_its_labels(labels: dict[str, str], expected: float | None) -> None:
    assert price_of(labels, {"type=big": 2.0, "zone=a": 3.0}) == expected


def test_the_table_and_the_report_tell_of_the_cost_only_where_it_is_known() -> None:
    board = Board()
    board.take(Event("experiment", facts={"experiment": EXPERIMENT, "uses": [use("a", 0, 1)]}), 0.0)
    assert board.cost == 1.0
    board.take(Event("lost", {"id": "1", "state": "active", "dev_metadata": {f"{NODE_USE}1": str(use("a", 1, 2))}}), 0.0)
    assert board.cost == 2.0
    assert "cost about $2.00" in report(EXPERIMENT, [], done=1, failed=0, stopped=0, lost=0, cost=2.0)
    assert "cost" not in report(EXPERIMENT, [], done=1, failed=0, stopped=0, lost=0)
    assert (dollars(None), dollars(0.0), dollars(0.004), dollars(1.239)) == (None, "$0.00", "<$0.01", "$1.24")
