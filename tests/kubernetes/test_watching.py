"""The watch of pods against an API server that breaks off, forgets, and says nothing: no news is lost, and none is made up."""

import asyncio

import pytest

from tasks.kubernetes.client.errors import ClusterError
from tasks.kubernetes.jobs.watching import PodWatch
from tests.kubernetes.scripted import Cut, ScriptedServer, bookmark, event, pod, serving

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


async def at_once(seconds: float) -> None:
    """A pause that takes no time."""
    await asyncio.sleep(0)


async def until(watch: PodWatch, job: str, version: int) -> None:
    seen = 0
    async with asyncio.timeout(10):
        while (found := watch.pod(job)) is None or found["metadata"]["resourceVersion"] != str(version):
            seen = await watch.change(job, seen)


async def test_what_is_listed_and_what_changes_is_known_by_its_job() -> None:
    server = ScriptedServer()
    server.lists = [[pod("a", 1)]]
    server.watches = [[event("ADDED", pod("b", 2)), event("MODIFIED", pod("a", 3, state=RUNNING)), event("DELETED", pod("b", 4))]]
    async with serving(server) as connection, PodWatch(connection, {"x": "y"}, sleep=at_once) as watch:
        await until(watch, "b", 4)
        assert watch.is_gone("b") and set(watch.present) == {"a"} and watch.pod("a") == pod("a", 3, state=RUNNING)
    assert "x=y" in server.queries("list")[0]["labelSelector"]


async def test_a_watch_that_ends_goes_on_where_it_was_by_its_last_bookmark() -> None:
    server = ScriptedServer()
    server.watches = [[event("ADDED", pod("a", 5)), bookmark(70)], [event("MODIFIED", pod("a", 71))]]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once) as watch:
        await until(watch, "a", 71)
    assert [query["resourceVersion"] for query in server.queries("watch")][:2] == ["1", "70"] and len(server.queries("list")) == 1


@pytest.mark.parametrize("how", ["by status", "by event"])
async def test_what_the_server_has_forgotten_is_listed_anew_and_what_is_not_there_any_more_is_gone(how: str) -> None:
    server = ScriptedServer()
    server.lists = [[pod("a", 1), pod("b", 1)], [pod("a", 9)]]
    server.watches = [410 if how == "by status" else [event("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})]]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once) as watch:
        await until(watch, "a", 9)
        assert watch.is_gone("b") and not watch.is_gone("a")


async def test_a_watch_that_breaks_off_misses_nothing() -> None:
    server = ScriptedServer()
    whole = event("MODIFIED", pod("a", 3))
    server.lists = [[pod("a", 1)], [pod("a", 4)]]
    server.watches = [[event("MODIFIED", pod("a", 2)), whole[: len(whole) // 2], Cut]]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once) as watch:
        await until(watch, "a", 4)


async def test_a_server_that_stays_away_is_a_sentence_and_then_it_goes_on() -> None:
    server, told = ScriptedServer(), []
    server.watches = [[Cut]] * 4 + [[event("ADDED", pod("a", 2))]]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once, on_trouble=told.append) as watch:
        await until(watch, "a", 2)
    assert all("trying again" in text for text in told)


async def test_a_right_that_was_taken_away_ends_the_watch_with_the_reason() -> None:
    server = ScriptedServer()
    server.watches = [403]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once) as watch:
        with pytest.raises(ClusterError, match="403"):
            async with asyncio.timeout(10):
                await watch.change("a", 0)


async def test_an_older_pod_of_the_same_job_does_not_take_the_place_of_the_newer() -> None:
    server = ScriptedServer()
    newer, older = pod("a", 2, uid="new", creationTimestamp="2026-01-02T00:00:00Z"), pod("a", 3, uid="old")
    server.watches = [[event("ADDED", newer), event("DELETED", older), event("ADDED", pod("b", 4))]]
    async with serving(server) as connection, PodWatch(connection, {}, sleep=at_once) as watch:
        await until(watch, "b", 4)
        assert watch.pod("a") == newer and not watch.is_gone("a")
