"""Which flow run goes on with an experiment, which was started last, and what of it has been told: decisions without a server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trialflow.cli.following import Snapshot
from trialflow.cli.latest import project_of
from trialflow.cli.succession import SUCCESSOR_SECONDS, seconds_left
from trialflow.events import Event

CRASH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("ago", "left"), [(0, SUCCESSOR_SECONDS), (SUCCESSOR_SECONDS - 1, 1), (86400, 0), (-30, SUCCESSOR_SECONDS)])
def test_nobody_waits_for_what_should_have_come_long_ago(ago: float, left: float) -> None:
    assert seconds_left(CRASH, CRASH + timedelta(seconds=ago)) == left


@pytest.mark.parametrize(
    ("event", "after", "known"),
    [
        (Event("completed", {"id": "1"}), -5, True),
        (Event("completed", {"id": "1"}), 5, True),
        (Event("completed", {"id": "2"}), -5, False),  # the service learned of it later than this was read, or clocks differ
        (Event("launched", {"id": "1"}), 5, True),
        (Event("launched", {"id": "2"}), -5, True),
        (Event("launched", {"id": "2"}), 5, False),
        (Event("waiting"), -5, True),
        (Event("waiting"), 5, False),
        (Event("ended"), -5, False),
        (Event("experiment"), 5, True),
    ],
)
def test_what_has_been_shown_is_not_told_again(event: Event, after: float, known: bool) -> None:
    assert Snapshot(frozenset({"1"}), CRASH).has(event, CRASH + timedelta(seconds=after)) is known


@pytest.mark.parametrize(
    ("parameters", "project"),
    [({"project": "p", "directory": "/x/Model"}, "p"), ({"directory": "/x/My Model"}, "mymodel"), ({"project": None}, None)],
)
def test_the_project_of_a_flow_run_is_in_its_parameters(parameters: dict[str, Any], project: str | None) -> None:
    assert project_of(parameters) == project
