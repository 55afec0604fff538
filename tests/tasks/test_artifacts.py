"""What Prefect shows of an experiment costs no training run and no time, whatever its server does."""

import asyncio
import logging

import pytest

from tasks.experiments import artifacts
from tasks.experiments.artifacts import ArtifactReporter
from tasks.experiments.ledger import Ledger
from tasks.outcome import Outcome

EXPERIMENT = {"id": "1", "name": "My model", "budget": 4, "progress": {"finished_run_count": 0}}
RUN = {"id": "7", "values": {"y": {"value": 1.0}}, "assignments": {"x": 2}}


def reporter(now: list[float]) -> ArtifactReporter:
    ledger = Ledger.of(EXPERIMENT, ours=0, canary=False, stop_after_failures=0, proven=True)
    return ArtifactReporter(EXPERIMENT, ledger, clock=lambda: now[0])


async def test_a_server_that_is_slow_is_asked_once_at_a_time_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    answer = asyncio.Event()

    async def slow(percent: float, **_: object) -> str:
        asked.append(percent)
        await answer.wait()
        return "an id"

    monkeypatch.setattr(artifacts, "acreate_progress_artifact", slow)
    now = [0.0]
    one = reporter(now)
    for _ in range(3):
        one.observed(RUN, Outcome("completed"))
        await asyncio.sleep(0)
        now[0] += 10
    assert len(asked) == 1
    answer.set()


async def test_a_server_that_is_away_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def away(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    for name in ("acreate_progress_artifact", "acreate_table_artifact", "acreate_markdown_artifact"):
        monkeypatch.setattr(artifacts, name, away)
    one = reporter([0.0])
    with caplog.at_level(logging.WARNING):
        one.observed(RUN, Outcome("completed"))
        await one.finish([])
    assert "connection refused" in caplog.text


async def test_what_was_stopped_early_is_shown_as_stopped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[list[dict[str, object]]] = []

    async def keep(*_: object, **shown: object) -> str:
        if "table" in shown:
            tables.append(shown["table"])  # type: ignore[arg-type]
        return "an id"

    for name in ("acreate_progress_artifact", "aupdate_progress_artifact", "acreate_table_artifact", "acreate_markdown_artifact"):
        monkeypatch.setattr(artifacts, name, keep)
    one = reporter([0.0])
    one.observed(RUN, Outcome("completed", "below the median"))
    one.observed(RUN, Outcome("completed"))
    await one.finish([])
    assert [(row["outcome"], row["reason"]) for row in tables[0]] == [("stopped", "below the median"), ("completed", "")]
