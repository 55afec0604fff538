"""What the live table counts, from the flow's events."""

from typing import Any

from trialflow.events import Event
from trialflow.results.board import Board, begin_line

METRIC = {"name": "m", "objective": "minimize", "strategy": "optimize", "threshold": None}


def board(*metrics: dict[str, Any]) -> Board:
    experiment = {"id": 1, "name": "e", "budget": 4, "parallel_bandwidth": 2, "progress": {"finished_run_count": 0}, "metrics": metrics or (METRIC,)}
    one = Board()
    one.take(Event("experiment", facts={"experiment": experiment}), 0)
    return one


def complete(one: Board, number: int, **values: float) -> None:
    run = {"id": number, "assignments": {"x": number}}
    one.take(Event("launched", run), 0)
    one.take(Event("completed", run, facts={"values": {name: {"value": value} for name, value in values.items()}}), 10)


def test_the_table_counts_what_happened() -> None:
    one = board()
    for number, value in ((1, 5.0), (2, 3.0), (3, 4.0)):
        complete(one, number, m=value)
    one.take(Event("lost", {"id": 4}), 11)
    one.take(Event("failed", {"id": 4}, "exit code 1"), 12)
    assert (one.done, one.lost, one.failed, one.best and one.best.id, one.eta, one.progress) == (4, 1, 1, 2, 0, "4/4")


def test_what_breaks_a_threshold_is_never_the_best() -> None:
    constraint = {"name": "seconds", "objective": "minimize", "strategy": "constraint", "threshold": 2.0}
    one = board(METRIC, constraint)
    complete(one, 1, m=1.0, seconds=3.0)
    complete(one, 2, m=2.0, seconds=1.0)
    complete(one, 3, m=0.5)
    assert one.best is not None and one.best.id == 2


def test_of_two_optimized_metrics_none_is_the_best() -> None:
    one = board(METRIC, {**METRIC, "name": "n"})
    complete(one, 1, m=1.0, n=1.0)
    assert one.best is None and one.done == 1


def test_a_resumed_experiment_keeps_the_counts_of_earlier_processes() -> None:
    one = board()
    again = {"id": 1, "name": "e", "budget": 4, "progress": {"finished_run_count": 3}, "metrics": [METRIC]}
    one.take(Event("experiment", facts={"experiment": again, "tally": {"done": 3, "failed": 2, "stopped": 1, "lost": 3}}), 0)
    assert (one.done, one.failed, one.stopped, one.lost) == (3, 2, 1, 3)


def test_the_beginning_is_told_as_what_it_is() -> None:
    experiment = {"id": "3", "name": "e", "budget": 4, "progress": {"finished_run_count": 1}}
    lines = [begin_line(Event("experiment", facts={"experiment": experiment, "resumed": how})) for how in ("create", "resume", "join")]
    assert lines == ['experiment 3 "e" is new', 'experiment 3 "e" resumes at 1/4', 'joining experiment 3 "e" at 1/4']
