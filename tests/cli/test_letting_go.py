"""What `--detach` says: the experiment's number as soon as there is one, else the flow run, or why it ended."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from trialflow.cli import following, letting_go
from trialflow.cli.following import End
from trialflow.cli.letting_go import let_go
from trialflow.errors import ExperimentFailed
from trialflow.events import Event

RUN = SimpleNamespace(id=UUID(int=7), tags=[])
BEGINS = Event("experiment", facts={"experiment": {"id": 12}})


def leave(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Callable[[Event], None]], End | None], run: Any = RUN) -> int:
    """Let go of a flow run in which this happens: events are taken, an end is returned, and without one it goes on for ever."""

    class Scripted:
        def __init__(self, client: Any, flow_run_id: UUID, *, take: Callable[[Event], None], tell: Callable[[str], None]) -> None:
            assert flow_run_id == RUN.id
            self.take = take

        async def follow(self) -> End:
            if (end := happens(self.take)) is not None:
                return end
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(following, "Follower", Scripted)
    shown: list[dict[str, Any]] = []
    code = asyncio.run(let_go(None, run, show_end=shown.append, follow="trialflow follow", also="trialflow experiment stop"))  # type: ignore[arg-type]
    assert all(one == {"summary": "as it was"} for one in shown)
    return code


def test_the_number_goes_to_standard_output_and_what_to_do_next_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(monkeypatch, lambda take: take(BEGINS)) == 0
    out, said = capsys.readouterr()
    assert out == 'Started "experiment/12"\n' and "trialflow follow 12" in said and "trialflow experiment stop 12" in said


def test_a_flow_run_that_has_its_experiment_already_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def never(take: Callable[[Event], None]) -> None:
        raise AssertionError

    assert leave(monkeypatch, never, SimpleNamespace(id=RUN.id, tags=["experiment:9"])) == 0
    assert capsys.readouterr().out == 'Started "experiment/9"\n'


def test_a_flow_run_that_does_not_begin_in_time_is_named_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(letting_go, "BEGIN_SECONDS", 0.01)
    assert leave(monkeypatch, lambda take: None) == 0
    out, said = capsys.readouterr()
    assert out == "" and "has not begun yet" in said and f"trialflow follow {RUN.id}" in said


def test_a_flow_run_that_ends_without_an_experiment_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failed = End("FAILED", failure={"message": "there is nothing to run", "exit_code": ExperimentFailed.exit_code})
    with pytest.raises(ExperimentFailed, match="there is nothing to run"):
        leave(monkeypatch, lambda take: failed)
    assert leave(monkeypatch, lambda take: End("COMPLETED", facts={"summary": "as it was"})) == 0
    assert capsys.readouterr().out == ""
