"""The steps of one training run as Prefect tasks: suggest, launch, collect, observe. Each finds what an earlier try of it has done.

The tasks are thin: what they do is in functions and classes that need no Prefect. They take a `Bench`, what a flow works with, as it is: Prefect
neither hashes nor searches it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger
from prefect.runtime import task_run

from tasks.compute import Attempt, Compute, Exit, Report
from tasks.early_stop import EarlyStop
from tasks.experiments.checkpoints import last_values
from tasks.experiments.client import ServiceClient, ServiceRefused, ServiceUnavailable
from tasks.experiments.launch_history import LONGEST_REASON, LaunchHistory, early_body
from tasks.experiments.merging import merged
from tasks.experiments.report_sink import ReportSink
from tasks.kubernetes.client.errors import ClusterUnavailable
from tasks.outcome import Outcome, is_cut_short, judge, log_excerpt
from tasks.steps import step
from trialflow.events import Event, log_sink, tell
from trialflow.metadata_keys import EXIT_CODE, REASON
from trialflow.metrics import values_of
from trialflow.specs import RunSpec

if TYPE_CHECKING:
    from tasks.experiments.early_stopper import EarlyStopper

OUR_NAME = re.compile(r"^run-[a-z0-9]{8}$")
"""Training runs with such a name were made by a flow, and a flow may launch them; others belong to whoever made them."""
RETRY_DELAYS = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0]
LAST_LINES = 10


class Bench:
    """What a flow works with: the service, the compute, and how the model is run.

    `prospects` are there if the experiment wants training runs that promise nothing to be ended early.
    """

    def __init__(
        self,
        *,
        client: ServiceClient,
        compute: Compute,
        project: str,
        run: RunSpec,
        directory: Path,
        required: Sequence[str],
        source: Mapping,
    ) -> None:
        self.client = client
        self.compute = compute
        self.project = project
        self.run = run
        self.directory = directory
        self.required = required
        self.source = source
        self.prospects: EarlyStopper | None = None

    def attempt(self, run: Mapping[str, Any], number: int) -> Attempt:
        """One attempt of a training run, as the compute takes it."""
        return Attempt(
            training_run=run,
            number=number,
            command=tuple(self.run.run or ()),
            project=self.project,
            directory=self.directory,
            environment={name: str(value) for name, value in (self.run.env or {}).items()},
            patterns=dict(self.run.metrics or {}),
            timeout=self.run.timeout,
            experiment_id=str(run["experiment"]) if run.get("experiment") else None,
        )


def _wait(error: Exception) -> None:
    tell(Event("waiting", text=str(getattr(error, "message", error))))


_step = partial(step, delays=RETRY_DELAYS, retried=(ServiceUnavailable, ClusterUnavailable), on_retry=_wait)


@_step("suggest")
async def suggest(name: str, bench: Bench, experiment_id: str) -> dict[str, Any]:
    """Have the service suggest assignments: a new training run called `name`. A retry finds the one that an earlier try made."""
    if (task_run.run_count or 1) > 1:
        wanted = [{"field": "name", "operator": "==", "value": name}]
        if found := await bench.client.runs(bench.project, experiment_id=experiment_id, filters=wanted):
            return found[0]
    run = await bench.client.suggest_run(experiment_id, name)
    get_run_logger().info("training run %s: %s", run["id"], run.get("assignments"))
    return run


@_step("launch")
async def launch(name: str, bench: Bench, attempt: Attempt) -> None:
    """Start the training run, or adopt it if it was started before."""
    await bench.compute.launch(attempt)
    tell(Event("launched", attempt.training_run))


@_step("collect")
async def collect(name: str, bench: Bench, attempt: Attempt, history: LaunchHistory) -> Exit:
    """Wait until the attempt ends, and bring what the model logs to the service meanwhile; end it early if it has no prospects."""
    logger = get_run_logger()
    sink = ReportSink(bench.client, attempt.training_run_id, earlier_checkpoints=history.earlier_checkpoints, warn=logger.warning)
    early = EarlyStop(bench.client, bench.compute, attempt, bench.prospects, decided=history.stopped_early)

    async def apply(reports: Sequence[Report]) -> None:
        await early.consider(await sink.apply(early.relieved(reports)))

    def pending(reason: str) -> None:
        logger.info("pending: %s", reason)
        tell(Event("pending", attempt.training_run, reason))

    return await early.beside(bench.compute.follow(attempt, on_reports=apply, on_log=log_sink.get(), on_pending=pending))


@_step("observe")
async def observe(name: str, bench: Bench, attempt: Attempt, ended: Exit, history: LaunchHistory) -> tuple[Outcome, dict[str, Any]]:
    """Judge how the attempt ended and write it to the service. Returns the outcome and the training run as it is now.

    A lost training run stays active, its history says why, and the flow launches it again.
    """
    logger = get_run_logger()
    run = await bench.client.run(attempt.training_run_id)
    early = LaunchHistory.of(run).stopped_early
    last = await _last_values(bench, run) if early and is_cut_short(ended) else {}
    run = {**run, "values": {**(run.get("values") or {}), **last}}
    outcome = judge(ended, state=run["state"], values=run["values"], required=bench.required, reason=history.reason_since(run), early=early)
    if outcome.kind == "lost":
        reason = outcome.reason or "lost"
        if ended.stopped or history.lost < bench.run.max_relaunches:
            after = history.after_loss(reason, counts=not ended.stopped, checkpoints=int(run.get("checkpoint_count") or 0))
            await bench.client.merge_run(attempt.training_run_id, after.merge_body())
            logger.warning("lost (%s); it is launched again and costs no budget", reason)
            return outcome, run
        outcome = Outcome("failed", f"lost {history.lost + 1} times, the last time because: {reason}")
    body = merged(_ending(bench, attempt, outcome, ended), {"values": last} if last else {})
    if early and not outcome.is_early:
        body = merged(body, early_body(None))  # it came to an end of its own before it was stopped
    await bench.client.merge_run(attempt.training_run_id, body)
    if outcome.kind == "failed":
        logger.error("failed: %s\n%s", outcome.reason, last_lines(bench, attempt))
    else:
        how = f"stopped early ({outcome.reason})" if outcome.is_early else "completed"
        logger.info("%s: %s", how, values_of(run))
    return outcome, run


def _ending(bench: Bench, attempt: Attempt, outcome: Outcome, ended: Exit) -> dict[str, Any]:
    body: dict[str, Any] = {"state": outcome.kind}
    if log := log_excerpt(bench.compute.read_log(attempt, last=100_000)):
        body["logs"] = {"all": {"content": log}}
    if bench.source:
        body["source_code"] = dict(bench.source)
    if outcome.reason and not outcome.is_early:
        body["dev_metadata"] = {REASON: outcome.reason[:LONGEST_REASON]}
    if ended.code is not None:
        body.setdefault("dev_metadata", {})[EXIT_CODE] = ended.code
    return body


async def _last_values(bench: Bench, run: Mapping[str, Any]) -> dict[str, Any]:
    """What the last checkpoints of the current attempt say of the metrics that the model has not logged by the time it was stopped."""
    if not (missing := [name for name in bench.required if name not in (run.get("values") or {})]):
        return {}
    found = await bench.client.checkpoints(str(run["id"]))
    return last_values(found[: len(found) - LaunchHistory.of(run).earlier_checkpoints], missing)


def last_lines(bench: Bench, attempt: Attempt) -> str:
    """The end of what the attempt printed, for a message."""
    lines = bench.compute.read_log(attempt, last=20_000).decode(errors="replace").rstrip().splitlines()
    return "\n".join("  | " + line[:300] for line in lines[-LAST_LINES:]) or "  (it printed nothing)"


def is_ours(run: Mapping[str, Any]) -> bool:
    """Whether a flow made this training run, so that a flow may launch it."""
    return bool(OUR_NAME.match(run.get("name") or ""))


__all__ = ["Bench", "ServiceRefused", "collect", "is_ours", "last_lines", "launch", "observe", "suggest"]
