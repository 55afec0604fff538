"""What Prefect's UI shows of an experiment beside its flow run: a progress bar, a table of training runs, a report."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact

from tasks.experiments.ledger import Ledger
from tasks.experiments.tally import Tally
from trialflow.api_types import Experiment, Metric, TrainingRun
from trialflow.metadata_keys import REASON
from trialflow.metrics import values_of
from trialflow.results.best import is_better
from trialflow.results.facts import lost_of, state_of, stopped_early
from trialflow.results.ranking import optimized
from trialflow.results.report import escaped, report
from trialflow.results.spending import spent_on

EVERY_SECONDS = 2.0
MOST_BEST = 10
MOST_NAMED = 10

logger = logging.getLogger(__name__)


class ArtifactReporter:
    """Keeps the artifacts of one experiment up to date, at most every two seconds. Stable keys: recurring tuning shows versions.

    `page` is the address of the experiment's page, which they link to. No training run waits for Prefect's server here, and none is lost because it
    is away: then the artifacts are old, and a warning says so.
    """

    def __init__(self, experiment: Experiment, ledger: Ledger, *, page: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.experiment = experiment
        self.ledger = ledger
        self._page = page
        self._clock = clock
        self._progress: UUID | None = None
        self._updated = float("-inf")
        self._showing: asyncio.Task[None] | None = None

    @property
    def key(self) -> str:
        """The stem of the artifacts' keys: lower-case letters, digits and dashes of the experiment's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.experiment["name"].lower()).strip("-") or "experiment"

    def observed(self) -> None:
        """Another training run has ended: bring the progress up to date, if that was not done a moment ago."""
        if self._clock() - self._updated >= EVERY_SECONDS and (self._showing is None or self._showing.done()):
            self._showing = asyncio.create_task(_kept_going(self._show_progress()))

    async def finish(self, runs: Sequence[TrainingRun], best: Sequence[TrainingRun]) -> None:
        """Write the table and the report of all `runs` of the experiment, as the service has them, whichever flow executed them."""
        if self._showing is not None:
            await self._showing
        await _kept_going(self._show_all(runs, best))

    async def show(self, name: str, page: str) -> None:
        """Write a page of markdown about the experiment, under a key that ends with `name`."""
        await _kept_going(acreate_markdown_artifact(markdown=page, key=f"{self.key}-{name}"))

    async def _show_all(self, runs: Sequence[TrainingRun], best: Sequence[TrainingRun]) -> None:
        await self._show_progress()
        if rows := table_rows(runs):
            await acreate_table_artifact(table=rows, key=f"{self.key}-training-runs", description=self._named("All training runs of experiment"))
        if rows := best_rows(self.experiment["metrics"], runs, best):
            await acreate_table_artifact(table=rows, key=f"{self.key}-best", description=self._named("The best of experiment"))
        text = report(self.experiment, best, **asdict(Tally.of(runs)), cost=spent_on(runs))
        page = "\n".join([text, *trouble_lines(runs), *self._link_lines()])
        await acreate_markdown_artifact(markdown=page, key=f"{self.key}-report", description=self._named("The result of experiment"))

    def _named(self, what: str) -> str:
        number = self.experiment["id"]
        return f"{what} [{number}]({self._page})" if self._page else f"{what} {number}"

    def _link_lines(self) -> list[str]:
        if self._page is None:
            return []
        return ["", f"More on [its page]({self._page}); `trialflow open {self.experiment['id']}` signs a browser in."]

    async def _show_progress(self) -> None:
        self._updated = self._clock()
        if not self.ledger.budget:
            return
        percent = min(100.0, 100.0 * self.ledger.spent / self.ledger.budget)
        if self._progress is None:
            self._progress = await acreate_progress_artifact(percent, key=f"{self.key}-progress", description=self.experiment["name"])
        else:
            await aupdate_progress_artifact(self._progress, percent)


async def _kept_going(showing: Awaitable[object]) -> None:
    try:
        await showing
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost a training run
        logger.warning("Prefect's server did not take what it shows of the experiment: %s", error or type(error).__name__)


def best_rows(metrics: Sequence[Metric], runs: Sequence[TrainingRun], best: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """A row for each of the best training runs, the best one first: at most ten, or all of the Pareto front if several metrics are optimized."""
    named = optimized(metrics)
    if len(named) != 1:
        return table_rows(best)
    name, sign = named[0]["name"], 1 if named[0].get("objective") == "minimize" else -1
    good = [run for run in runs if run["state"] == "completed" and is_better(metrics, values_of(run), None)]
    found = sorted(good, key=lambda run: sign * values_of(run)[name])[:MOST_BEST]
    return [row for run in found for row in table_rows([run])]


def trouble_lines(runs: Sequence[TrainingRun]) -> list[str]:
    """What failed and what was lost, as markdown: grouped by the reason, the most frequent one first. Nothing if all went well."""
    groups: dict[tuple[str, str], list[str]] = {}
    for run in sorted(runs, key=lambda run: int(run["id"])):
        reason = str((run.get("dev_metadata") or {}).get(REASON) or "no reason was given")
        for what in (["failed"] if run["state"] == "failed" else []) + (["lost and launched again"] if lost_of([run]) else []):
            groups.setdefault((what, reason), []).append(str(run["id"]))
    if not groups:
        return []
    rows = []
    for (what, reason), ids in sorted(groups.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(ids[:MOST_NAMED]) + (f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else "")
        rows.append(f"| {len(ids)} | {what} | {escaped(reason)} | {shown} |")
    return ["", "## What went wrong", "", "| count | | reason | training runs |", "|---|---|---|---|", *rows]


def table_rows(runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """A row for each training run that has ended, in the order of their ids."""
    ended = sorted((run for run in runs if run["state"] != "active"), key=lambda run: int(run["id"]))
    return [
        {
            "training run": run["id"],
            "outcome": state_of(run),
            **values_of(run),
            **(run.get("assignments") or {}),
            "lost": lost_of([run]),
            "reason": stopped_early(run) or ((run.get("dev_metadata") or {}).get(REASON) if run["state"] == "failed" else None) or "",
        }
        for run in ended
    ]
