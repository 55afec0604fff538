"""Waiting for the server on a cluster: until it is ready, or it is plain that it will not be."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.kubernetes.server.installing import PodFacts
from tasks.operations import server
from trialflow.errors import TrialflowError

NOWHERE: Any = SimpleNamespace()
READY, STARTING = PodFacts("ready"), PodFacts("starting", "it is starting")


def ended(times: int) -> PodFacts:
    return PodFacts("starting", "it ended with exit code 1", times)


async def waited(monkeypatch: pytest.MonkeyPatch, pods: Iterable[PodFacts]) -> list[str]:
    """What is told while the pod is as it is in `pods`, one after the other."""
    looks, told = iter(pods), []

    async def read_pod(connection: Any) -> PodFacts:
        return next(looks)

    monkeypatch.setattr(server, "read_pod", read_pod)
    monkeypatch.setattr(server, "PAUSE_SECONDS", 0)
    await server.until_ready(NOWHERE, tell=told.append)
    return told


async def test_each_new_reason_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await waited(monkeypatch, [STARTING, STARTING, ended(1), ended(2), READY])
    assert told == ["waiting for the server: it is starting", "waiting for the server: it ended with exit code 1"]


async def test_a_server_that_ends_again_and_again_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrialflowError, match="the server does not start: it ended with exit code 1") as error:
        await waited(monkeypatch, [STARTING, ended(1), ended(2), ended(3)])
    assert "waits for it again" in str(error.value.hint)


@pytest.mark.parametrize(
    "pods",
    [[ended(7), ended(8), ended(9), READY], [ended(7), STARTING, ended(1), ended(2), READY]],
    ids=["ended before", "another pod"],
)
async def test_ends_count_from_the_beginning_of_the_wait_and_for_one_pod(monkeypatch: pytest.MonkeyPatch, pods: list[PodFacts]) -> None:
    await waited(monkeypatch, pods)
