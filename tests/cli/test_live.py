"""What is shown of an experiment while it is worked on."""

import json
from typing import Any

import pytest
from rich.console import Console

from trialflow.cli.optimize import say_stopped
from trialflow.cli.terminal.live import Table, line_of
from trialflow.events import Event
from trialflow.results.board import Board

RULE = {"trialflow_early_stopping": json.dumps({"rule": "median", "metric": "accuracy"})}
RUN = {"id": "7", "assignments": {"x": 0.5}, "values": {"accuracy": {"value": 0.912345}}}


def board(metadata: dict[str, Any] | None = None) -> Board:
    """A board that has seen an experiment begin, and a training run of it start."""
    experiment = {
        "id": "1",
        "name": "a longer name of an experiment of mine",
        "budget": 800,
        "progress": {"finished_run_count": 599},
        "metrics": [{"name": "accuracy", "objective": "maximize"}],
        "metadata": metadata,
    }
    one = Board()
    one.take(Event("experiment", facts={"experiment": experiment}), 0.0)
    one.take(Event("launched", RUN), 1.0)
    return one


def ended(reason: str | None) -> Event:
    return Event("completed", RUN, reason, {"values": RUN["values"]})


def drawn(one: Board, width: int) -> str:
    table = Table(one)
    table.console = Console(width=width)
    with table.console.capture() as said:
        table.console.print(table.render())
    return said.get()


@pytest.mark.parametrize("metadata", [None, RULE])
def test_the_best_is_whole_on_a_narrow_terminal_too(metadata: dict[str, Any] | None) -> None:
    one = board(metadata)
    one.take(ended(None), 2.0)
    assert "0.91234 " in drawn(one, 80) and "accuracy=0.91234 " in drawn(one, 140)
    assert all(("STOPPED" in drawn(one, width)) is bool(metadata) for width in (80, 140))


def test_what_is_stopped_early_is_told_with_the_reason_and_counted() -> None:
    one = board(RULE)
    one.take(ended("below the median"), 2.0)
    assert one.stopped == 1 and one.done == 600 and one.best is not None
    assert line_of(ended("below the median"), one) == "600/800 training run 7 stopped early (below the median): accuracy=0.91234 with x=0.5"
    assert line_of(ended(None), one) == "600/800 training run 7 completed: accuracy=0.91234 with x=0.5"


def test_what_was_not_seen_to_start_says_nothing_about_the_time_that_is_left() -> None:
    one = board(RULE)
    one.running.clear()
    one.take(ended("decided before"), 2.0)
    assert one.done == 600 and one.durations == []


def test_an_interruption_names_the_experiment_only_once_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    say_stopped(board(), "trialflow optimize")
    assert capsys.readouterr().err == (
        "stopped with 599/800 training runs done; nothing is lost\nnext: trialflow optimize\n      trialflow experiment show 1\n"
    )
    say_stopped(Board(), "trialflow optimize")
    assert capsys.readouterr().err == "stopped before work on the experiment began; nothing is lost\nnext: trialflow optimize\n"


ODD = "tune [/v2] [bold]\x1b[31m"


def test_text_of_a_user_is_never_markup_and_moves_no_cursor() -> None:
    one = board()
    one.name = ODD
    one.running = {"7": ({"id": "7", "assignments": {"data": "[/data/a]", "[link=x]": "[b]c[/b]"}}, 0.0)}
    seen = drawn(one, 160)
    assert "tune [/v2] [bold]\\x1b[31m" in seen and "data=[/data/a] [link=x]=[b]c[/b]" in seen and "\x1b" not in seen


def test_reasons_above_the_table_are_never_markup() -> None:
    table = Table(board())
    table.console = Console(width=160)
    with table.console.capture() as said:
        table(Event("failed", RUN, "exit code 1\n  | [/red] \x1b[2J"))
    assert "[/red] \\x1b[2J" in said.get()
