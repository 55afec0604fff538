"""Names of schedules, the times that they are shown with, and the automations that go with deployments."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from deployments.automations import SILENT, automations, marked
from deployments.declared import DEPLOYMENTS, OPTIMIZE
from deployments.registration import load
from deployments.schedules import slug_of, with_defaults
from flows.crashes import PARAMETERS
from trialflow.cli.schedule.show import where
from trialflow.cli.schedule.times import local, machine_zone
from trialflow.errors import InvalidInput


@pytest.mark.parametrize(("name", "slug"), [("nightly", "nightly"), ("My Model (v2)", "my-model-v2"), ("Ä b", "b"), ("x" * 99, "x" * 60)])
def test_a_schedule_is_named_after_its_experiment(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize("name", ["", "...", "optimize", "Optimize"])
def test_a_name_that_is_none_or_the_deployments_own_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a schedule"):
        slug_of(name)


def test_times_are_shown_in_the_zone_of_the_schedule_daylight_saving_included() -> None:
    assert local(datetime(2026, 7, 1, 0, tzinfo=UTC), "Europe/Berlin") == "2026-07-01 02:00 CEST"
    assert local(datetime(2026, 12, 1, 1, tzinfo=UTC), "Europe/Berlin") == "2026-12-01 02:00 CET"
    assert local(None, "UTC") is None


def test_the_zone_of_the_machine_is_the_one_that_the_shell_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert machine_zone() == "America/New_York"


def test_an_experiment_goes_on_with_every_parameter_that_its_flow_takes() -> None:
    import inspect

    assert set(PARAMETERS) == set(inspect.signature(load(OPTIMIZE.entrypoint).fn).parameters)


def test_only_what_was_at_work_is_called_crashed_or_goes_on() -> None:
    lost, resumed = automations(uuid4())
    assert lost.trigger.after == resumed.trigger.after == {"prefect.flow-run.heartbeat"}
    assert resumed.actions[0].deployment_id is not None


def test_an_automation_is_told_by_what_it_does_and_remembers_heartbeats_for_longer_than_the_silence_that_tells_a_crash() -> None:
    one, other = uuid4(), uuid4()
    tags = [[*marked(automation).tags] for made in (automations(one), automations(one), automations(other)) for automation in made]
    assert tags[:2] == tags[2:4] and tags[0] == tags[4] and tags[1] != tags[5]
    assert automations(one)[1].trigger.within > SILENT


def test_only_deployments_without_parameters_of_their_own_run_by_themselves() -> None:
    assert [one.name for one in DEPLOYMENTS if one.cron] == ["janitor"]


def test_a_schedule_follows_the_defaults_of_its_place_and_keeps_what_was_chosen() -> None:
    before = {"cluster": {"name": "old"}, "service": "default"}
    now = {"cluster": {"name": "new"}}
    moved = with_defaults({"experiment": {}, **before}, before, now)
    assert moved == {"experiment": {}, "cluster": {"name": "new"}}
    chosen = {"cluster": {"name": "old", "image": {}}, "service": "ours"}
    assert with_defaults(chosen, before, now) == chosen


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({"run": {"run": "true", "image": "i"}, "directory": "/m"}, ["folder: /m"]),
        ({"run": {"image": "i"}, "directory": "/m", "cluster": {"name": "mine"}}, ["cluster: mine", "image: i", "folder: /m"]),
        (
            {"run": {"image": "i"}, "directory": "/tmp", "cluster": {"name": "mine", "image": {"reference": "r/i@sha256:0"}}},
            ["cluster: mine", "image: r/i@sha256:0"],
        ),
    ],
)
def test_it_is_said_where_a_schedules_training_runs_execute_and_of_what(given: dict, lines: list[str]) -> None:
    assert where(given) == lines
