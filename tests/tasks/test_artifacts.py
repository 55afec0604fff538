"""What Prefect shows of an experiment costs no training run and no time, whatever its server does."""

import asyncio
import logging

import pytest

from tasks.experiments import artifacts
from tasks.experiments.artifacts import ArtifactReporter
from tasks.experiments.ledger import Ledger
from tasks.experiments.tally import Tally, result_line
from trialflow.results.links import experiment_page

EXPERIMENT = {"id": "1", "name": "My model", "budget": 4, "progress": {"finished_run_count": 0}}
RUN = {"id": "7", "state": "completed", "values": {"y": {"value": 1.0}}, "assignments": {"x": 2}}
EARLY = {**RUN, "id": "8", "dev_metadata": {"trialflow_stopped_early": "below the median"}}
BAD = {**RUN, "id": "10", "state": "failed", "values": {}, "dev_metadata": {"trialflow_reason": "exit code 3", "trialflow_lost": 2}}


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
        one.observed()
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
        one.observed()
        await one.finish([RUN], [])
    assert "connection refused" in caplog.text


async def test_the_table_has_all_training_runs_that_have_ended_in_order_with_their_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[list[dict[str, object]]] = []

    async def keep(*_: object, **shown: object) -> str:
        if "table" in shown:
            tables.append(shown["table"])  # type: ignore[arg-type]
        return "an id"

    for name in ("acreate_progress_artifact", "aupdate_progress_artifact", "acreate_table_artifact", "acreate_markdown_artifact"):
        monkeypatch.setattr(artifacts, name, keep)
    one = reporter([0.0])
    await one.finish([BAD, {**RUN, "id": "11", "state": "active"}, EARLY, RUN], [])
    assert [(row["training run"], row["outcome"], row["lost"], row["reason"]) for row in tables[0]] == [
        ("7", "completed", 0, ""),
        ("8", "stopped", 0, "below the median"),
        ("10", "failed", 2, "exit code 3"),
    ]


async def test_artifacts_link_to_the_page_where_there_is_one_and_hold_nothing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    async def keep(*_: object, **given: object) -> str:
        shown.append(str(given.get("markdown") or given.get("description")))
        return "an id"

    for name in ("acreate_progress_artifact", "aupdate_progress_artifact", "acreate_table_artifact", "acreate_markdown_artifact"):
        monkeypatch.setattr(artifacts, name, keep)
    ledger = Ledger.of(EXPERIMENT, ours=0, canary=False, stop_after_failures=0, proven=True)
    measured = {**EXPERIMENT, "metrics": []}
    page = experiment_page("https://user:secret@tune.example.com/trialflow/", "1")
    for one in (ArtifactReporter(measured, ledger, page=page), ArtifactReporter(measured, ledger)):
        await one.finish([RUN], [RUN])
    assert sum("](https://tune.example.com/trialflow/experiments/1)" in text for text in shown) == 3 and "secret" not in "".join(shown)


def test_what_has_become_of_training_runs_is_counted_from_what_the_service_keeps() -> None:
    assert Tally.of([BAD, {**RUN, "state": "active", "dev_metadata": {"trialflow_lost": 1}}, EARLY, RUN]) == Tally(
        done=3, failed=1, stopped=1, lost=3
    )


@pytest.mark.parametrize(
    ("budget", "tally", "best", "line"),
    [
        (6, Tally(done=6), [RUN], "6 of 6, best y 1 (training run 7)"),
        (6, Tally(done=6, failed=1, lost=2), [RUN], "6 of 6, 1 failed, 2 lost and launched again, best y 1 (training run 7)"),
        (None, Tally(done=3, stopped=1), [RUN, EARLY], "3 training runs, 1 stopped early, best y 1 (training run 7)"),
        (2, Tally(done=2, failed=2), [], "2 of 2, 2 failed, no training run completed"),
    ],
)
def test_the_last_state_of_a_flow_run_says_the_result(budget: int | None, tally: Tally, best: list, line: str) -> None:
    assert result_line({"budget": budget, "metrics": [{"name": "y"}, {"name": "z", "strategy": "store"}]}, tally, best) == line


def test_several_optimized_metrics_have_several_best_training_runs() -> None:
    metrics = [{"name": "y", "strategy": "optimize"}, {"name": "z", "strategy": "optimize"}]
    assert result_line({"budget": 2, "metrics": metrics}, Tally(done=2), [RUN, EARLY]) == "2 of 2, best training runs 7, 8"


def ended(number: int, state: str, value: float | None = None, **kept: object) -> dict[str, object]:
    values = {} if value is None else {"y": {"value": value}}
    return {"id": str(number), "name": f"run-{number}", "state": state, "assignments": {"x": number}, "values": values, "dev_metadata": kept}


def test_the_best_training_runs_come_first_and_those_beyond_a_threshold_not_at_all() -> None:
    runs = [ended(1, "completed", 0.5), ended(2, "failed"), ended(3, "completed", 0.1), ended(4, "completed", 0.9)]
    assert [row["training run"] for row in artifacts.best_rows([{"name": "y"}], runs, [])] == ["4", "1", "3"]
    assert [row["training run"] for row in artifacts.best_rows([{"name": "y", "objective": "minimize"}], runs, [])] == ["3", "1", "4"]
    assert [row["training run"] for row in artifacts.best_rows([{"name": "y", "threshold": 0.3}], runs, [])] == ["4", "1"]
    assert [row["training run"] for row in artifacts.best_rows([{"name": "y"}, {"name": "z"}], runs, runs[2:3])] == ["3"]


def test_failures_are_grouped_by_their_reason_the_most_frequent_first() -> None:
    runs = [ended(1, "failed", trialflow_reason="exit code 1"), *(ended(n, "failed", trialflow_reason="out of | memory") for n in range(2, 15))]
    lines = artifacts.trouble_lines(runs)
    assert r"| 13 | failed | out of \| memory | 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more |" in lines
    assert lines.index("| 1 | failed | exit code 1 | 1 |") == len(lines) - 1


def test_nothing_is_said_of_trouble_where_there_was_none() -> None:
    assert artifacts.trouble_lines([ended(1, "completed", 0.5)]) == []


def test_what_was_lost_and_launched_again_is_told_beside_what_failed() -> None:
    lines = artifacts.trouble_lines([ended(1, "completed", 0.5, trialflow_lost=2, trialflow_reason="its node went away")])
    assert "| 1 | lost and launched again | its node went away | 1 |" in lines
