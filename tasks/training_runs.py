"""The steps of one training run: suggest, launch, collect, observe. Each finds what an earlier try of it has done. They need no Prefect server."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.capped_log import CappedLog, shortened
from tasks.compute import Attempt, Exit, Report
from tasks.context import RunContext
from tasks.early_stop import EarlyStop
from tasks.experiments.client import ServiceNotFound, ServiceRefused
from tasks.experiments.launch_history import LONGEST_REASON, LaunchHistory, early_body
from tasks.experiments.report_sink import ReportSink
from tasks.outcome import Outcome, is_cut_short, judge, log_excerpt
from tasks.steps import run_logger
from trialflow.api_types import TrainingRun
from trialflow.events import Event, log_sink, tell
from trialflow.merging import combined
from trialflow.metadata_keys import EXIT_CODE, NODE_USE, PLACE, REASON
from trialflow.metrics import last_values, values_of

OUR_NAME = re.compile(r"^run-[a-z0-9]{8}$")
"""Training runs with such a name were made by a flow, and a flow may launch them; others belong to whoever made them."""
LAST_LINES = 10


@dataclass(frozen=True)
class Observed:
    """The verdict on an attempt, and its training run's JSON as it is now."""

    outcome: Outcome
    training_run: TrainingRun

    @property
    def failure(self) -> str | None:
        """Why the training run failed; None if it did not."""
        return self.outcome.reason or "failed" if self.outcome.kind == "failed" else None


async def suggest(context: RunContext, experiment_id: str, name: str, *, is_retry: bool) -> TrainingRun:
    """Have the service suggest assignments: a new training run called `name`. A retry finds the one that an earlier try made."""
    flow = context.flow
    if is_retry:
        wanted = [{"field": "name", "operator": "==", "value": name}]
        if found := await flow.client.runs(flow.project, experiment_id=experiment_id, filters=wanted):
            return found[0]
    run = await flow.client.suggest_run(experiment_id, name)
    run_logger().info("training run %s: %s", run["id"], shortened(str(run.get("assignments"))))
    return run


async def launch(context: RunContext, attempt: Attempt) -> None:
    """Start the attempt, or adopt it if it was started before. The training run says where it executes, if that is a cluster."""
    await context.compute.launch(attempt)
    place = context.compute.place(attempt)
    if place != (attempt.training_run.get("dev_metadata") or {}).get(PLACE):
        with contextlib.suppress(ServiceNotFound, ServiceRefused):  # somebody deleted it, which `observe` finds
            await context.flow.client.merge_run(attempt.training_run_id, {"dev_metadata": {PLACE: place}})
    tell(Event("launched", attempt.training_run))


async def collect(context: RunContext, attempt: Attempt, history: LaunchHistory) -> Exit:
    """Wait until the attempt ends, and bring what the model logs to the service meanwhile; stop it early if the early stopper says so."""
    logger = run_logger()
    client = context.flow.client
    warn, note = (CappedLog(say, attempt.training_run_id) for say in (logger.warning, logger.info))
    sink = ReportSink(client, attempt.training_run_id, earlier_checkpoints=history.earlier_checkpoints, warn=warn)
    early = EarlyStop(client, context.compute, attempt, context.early_stopper, decided=history.stopped_early)

    async def apply(reports: Sequence[Report]) -> None:
        await early.consider(await sink.apply(early.relieved(reports)))

    def pending(reason: str) -> None:
        note(f"pending: {reason}")
        tell(Event("pending", attempt.training_run, reason))

    return await early.beside(context.compute.follow(attempt, on_reports=apply, on_log=log_sink.get(), on_pending=pending))


async def observe(context: RunContext, attempt: Attempt, ended: Exit, history: LaunchHistory) -> Observed:
    """Judge how the attempt ended and write it to the service.

    A lost training run stays active, its history says why, and the flow launches it again.
    """
    logger, client = run_logger(), context.flow.client
    try:
        run: TrainingRun = await client.run(attempt.training_run_id)
    except ServiceNotFound:
        return Observed(Outcome("failed", "it was deleted from the service while it was executed"), attempt.training_run)
    early = LaunchHistory.of(run).stopped_early
    last = await _last_values(context, run) if early and is_cut_short(ended) else {}
    required = context.required_if_stopped if early and is_cut_short(ended) else context.required
    used = {"dev_metadata": {f"{NODE_USE}{attempt.number}": str(ended.use)}} if ended.use else {}
    kept = {**(run.get("dev_metadata") or {}), **used.get("dev_metadata", {})}
    run = {**run, "values": {**(run.get("values") or {}), **last}, "dev_metadata": kept}
    outcome = judge(ended, state=run["state"], values=run["values"], required=required, reason=history.reason_since(run), early=early)
    if outcome.kind == "lost":
        reason = outcome.reason or "lost"
        if ended.stopped or history.lost < context.flow.run.max_relaunches:
            after = history.after_loss(reason, counts=not ended.stopped, checkpoints=int(run.get("checkpoint_count") or 0))
            await client.merge_run(attempt.training_run_id, combined(after.merge_body(), used))
            if ended.stopped:
                logger.warning("stopped; it is launched again when work goes on, and costs no budget")
            else:
                logger.warning("lost (%s); it is launched again and costs no budget", reason)
            return Observed(outcome, run)
        outcome = Outcome("failed", f"lost {history.lost + 1} times, the last time because: {reason}")
    body = combined(combined(_ending(context, attempt, outcome, ended), used), {"values": last} if last else {})
    if early and not outcome.is_early:
        body = combined(body, early_body(None))  # it came to an end of its own before it was stopped
    try:
        await client.merge_run(attempt.training_run_id, body)
    except ServiceRefused as refused:
        # What the service refuses it would refuse again: the training run must end all the same, or every flow to come would meet it.
        reason = f"the service refused its result: {refused.message}"
        outcome = Outcome("failed", reason)
        await client.merge_run(attempt.training_run_id, {"state": "failed", "dev_metadata": {REASON: reason[:LONGEST_REASON]}})
    if outcome.kind == "failed":
        logger.error("failed: %s\n%s", shortened(outcome.reason or ""), last_lines(context, attempt))
    else:
        how = f"stopped early ({outcome.reason})" if outcome.is_early else "completed"
        logger.info("%s: %s", how, shortened(str(values_of(run))))
    return Observed(outcome, run)


def _ending(context: RunContext, attempt: Attempt, outcome: Outcome, ended: Exit) -> dict[str, Any]:
    body: dict[str, Any] = {"state": outcome.kind}
    if log := log_excerpt(context.compute.read_log(attempt, last=100_000)):
        body["logs"] = {"all": {"content": log}}
    if context.flow.source:
        body["source_code"] = dict(context.flow.source)
    if outcome.reason and not outcome.is_early:
        body["dev_metadata"] = {REASON: outcome.reason[:LONGEST_REASON]}
    if ended.code is not None:
        body.setdefault("dev_metadata", {})[EXIT_CODE] = ended.code
    return body


async def _last_values(context: RunContext, run: TrainingRun) -> dict[str, Any]:
    """What the last checkpoints of the current attempt say of the metrics that the model has not logged by the time it was stopped."""
    if not (missing := [name for name in context.required if name not in (run.get("values") or {})]):
        return {}
    found = await context.flow.client.checkpoints(str(run["id"]))
    return last_values(found[: len(found) - LaunchHistory.of(run).earlier_checkpoints], missing)


def last_lines(context: RunContext, attempt: Attempt) -> str:
    """The end of what the attempt printed, for a message, and where the whole is."""
    lines = context.compute.read_log(attempt, last=20_000).decode(errors="replace").rstrip().splitlines()
    if not lines:
        return "  (it printed nothing)"
    return "\n".join([*("  | " + line[:300] for line in lines[-LAST_LINES:]), f"all that it printed: `trialflow logs {attempt.training_run_id}`"])


def is_ours(run: TrainingRun) -> bool:
    """Whether a flow made this training run, so that a flow may launch it."""
    return bool(OUR_NAME.match(run.get("name") or ""))
