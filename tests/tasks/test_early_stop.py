"""One attempt that is ended early: the decision is in the service before the model is asked to stop, and nothing leaves it in between."""

import asyncio
from typing import Any

import pytest

from tasks.compute import Attempt, Exit, Report
from tasks.early_stop import EarlyStop
from tasks.experiments.client import ServiceUnavailable
from tasks.experiments.early_stopper import EarlyStopper
from tasks.kubernetes.client.errors import ClusterUnavailable
from trialflow.optimizer.stopping import Rule

WORK = Attempt({"id": "7"}, 1, (), "tests")
BAD = {"values": [{"name": "acc", "value": 0.0}]}


class Place:
    """A service and a compute that note what they are asked, in one list; `trouble` is raised by what it is for."""

    def __init__(self, **trouble: Exception) -> None:
        self.asked: list[Any] = []
        self.trouble = trouble
        self.ended = asyncio.Event()

    async def merge_run(self, run_id: str, body: Any) -> None:
        if error := self.trouble.pop("merge", None):
            raise error
        self.asked.append(("decided", run_id, body["dev_metadata"]["trialflow_stopped_early"]))

    async def stop(self, attempt: Attempt) -> None:
        if error := self.trouble.pop("stop", None):
            raise error
        self.asked.append("stopped")
        self.ended.set()

    async def follow(self) -> Exit:
        await self.ended.wait()
        return Exit(stopped=True)


def early_end(place: Place, *, decided: str | None = None) -> EarlyStop:
    rule = EarlyStopper(Rule("asha", "acc", min_checkpoints=1, reduction=1 + 1))
    rule.reached("1", 1, 1, {"values": [{"name": "acc", "value": 1.0}]})
    return EarlyStop(place, place, WORK, rule, decided=decided)  # type: ignore[arg-type]


async def test_it_is_written_down_and_then_stopped() -> None:
    place = Place()
    one = early_end(place)
    following = asyncio.create_task(one.beside(place.follow()))
    await one.consider([BAD, BAD])
    assert (await following).stopped
    assert [word if isinstance(word, str) else word[:2] for word in place.asked] == [("decided", "7"), "stopped"]


async def test_what_could_not_be_written_down_stops_nothing_and_is_tried_again() -> None:
    place = Place(merge=ServiceUnavailable("gone"))
    one = early_end(place)
    following = asyncio.create_task(one.beside(place.follow()))
    with pytest.raises(ServiceUnavailable):
        await one.consider([BAD])
    await asyncio.sleep(0)
    assert place.asked == [] and not following.done()
    await one.consider([BAD])
    assert (await following).stopped and place.asked[-1] == "stopped"


async def test_a_decision_from_before_is_carried_out_at_once() -> None:
    place = Place()
    assert (await early_end(place, decided="because").beside(place.follow())).stopped
    assert place.asked == ["stopped"]


async def test_a_cluster_that_is_away_is_told_and_no_longer_followed() -> None:
    place = Place(stop=ClusterUnavailable("no route"))
    one = early_end(place, decided="because")
    with pytest.raises(ClusterUnavailable):
        await one.beside(place.follow())
    assert (await one.beside(place.follow())).stopped


async def test_what_ends_by_itself_is_not_stopped() -> None:
    place = Place()
    place.ended.set()
    await early_end(place).beside(place.follow())
    assert place.asked == []


async def test_cancelled_it_leaves_nothing_behind() -> None:
    place = Place()
    before = asyncio.all_tasks()
    following = asyncio.create_task(early_end(place).beside(place.follow()))
    await asyncio.sleep(0.01)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert asyncio.all_tasks() == before


async def test_a_failure_that_a_model_reports_when_it_is_asked_to_stop_is_not_its_own() -> None:
    reports = [Report(1, "merge", {"state": "failed", "values": {}}), Report(2, "checkpoint", {"values": []})]
    assert early_end(Place()).relieved(reports) == reports
    relieved = early_end(Place(), decided="because").relieved(reports)
    assert [one.body for one in relieved] == [{"values": {}}, {"values": []}] and [one.number for one in relieved] == [1, 2]
