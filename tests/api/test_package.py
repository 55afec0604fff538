"""The package itself: what it costs to import, and what it offers; and progress in a notebook's cell."""

import subprocess
import sys
from typing import Any

import pytest

import trialflow
from trialflow.api.progress import Cell, Lines, Silent, progress_here
from trialflow.events import Event

EXPERIMENT = {
    "id": "7",
    "name": "a <b>bold</b> name",
    "budget": 8,
    "progress": {"finished_run_count": 2},
    "metrics": [{"name": "accuracy"}],
    "metadata": {},
}


def test_importing_it_loads_nothing() -> None:
    heavy = "{'pydantic', 'prefect', 'numpy', 'pandas', 'sigopt', 'requests', 'asyncio', 'click', 'rich', 'tasks', 'flows'}"
    program = f"import sys, trialflow; print({heavy} & {{name.partition('.')[0] for name in sys.modules}})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_each_public_name_is_there_is_listed_and_is_documented() -> None:
    for name in trialflow.PUBLIC:
        found = getattr(trialflow, name)
        assert found.__name__ == name and found.__doc__ and name in dir(trialflow)
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        trialflow.optimise  # noqa: B018 - it is looked up


def told(view: Any) -> None:
    view.event(Event("experiment", facts={"experiment": EXPERIMENT, "resumed": "resume"}))
    view.event(Event("launched", {"id": "3", "assignments": {"x": 0.5}}))
    view.event(Event("completed", {"id": "3", "assignments": {"x": 0.5}}, facts={"values": {"accuracy": {"value": 0.91}}}))
    view.event(Event("failed", {"id": "4"}, "no <script>alert(1)</script> here\x1b[2J"))
    view.say("stopping")
    view.end(is_finished=False)


def test_a_cell_shows_how_far_it_is_and_takes_no_text_for_markup() -> None:
    drawn: list[str] = []

    def show(first: str) -> Any:
        drawn.append(first)
        return drawn.append

    told(Cell(show))
    last = drawn[-1]
    assert "<td>4/8</td>" in last and "accuracy=0.91" in last and "stopped" in last and "stopping" in last
    assert "&lt;script&gt;" in last and "<script" not in last and "<b>" not in last and "\x1b" not in last
    assert "starting" in drawn[0]


def test_elsewhere_there_is_a_line_for_each_event_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told(Lines())
    out, said = capsys.readouterr()
    lines = said.splitlines()
    assert out == "" and lines[0] == 'experiment 7 "a <b>bold</b> name" resumes at 2/8' and "4/8 training run 4 failed: no" in lines[2]
    told(Silent())
    assert capsys.readouterr() == ("", "")
    assert isinstance(progress_here(True), Lines) and type(progress_here(False)) is Silent
