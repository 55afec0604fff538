"""How an attempt that ended is judged: completed, failed by the model's own fault, or lost through no fault of it. Pure."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.compute import Exit
from trialflow.api_types import Metric

EXCERPT = 512
"""Characters kept from each end of a log, as the `sigopt` client does."""


@dataclass(frozen=True)
class Outcome:
    """The verdict on one attempt, and its reason in words. One that completed has a reason only if it was stopped early."""

    kind: Literal["completed", "failed", "lost"]
    reason: str | None = None

    @property
    def is_early(self) -> bool:
        """Whether it was ended before its time because it promised nothing: it counts as completed."""
        return self.kind == "completed" and self.reason is not None

    @property
    def word(self) -> str:
        """The verdict in a word for people: completed, stopped, failed or lost."""
        return "stopped" if self.is_early else self.kind


def judge(
    ended: Exit, *, state: str, values: Mapping[str, Any], required: Sequence[str], reason: str | None = None, early: str | None = None
) -> Outcome:
    """Judge an attempt from the facts of its end, the state of its training run, and the metrics it has against those it needs.

    `reason` is what trialflow wrote down for a state of failed since the attempt was launched (the user stopped it, or this was judged before and the
    answer was lost), `early` why it was decided to stop it early. A model that reported its own failure
    stays failed, and one that ended well before its launcher was lost has not been lost.
    """
    if state == "failed":
        return Outcome("failed", reason or "the model reported its failure")
    missing = _missing(values, required)
    if early is not None and is_cut_short(ended):
        return Outcome("failed", f"stopped early ({early}), and {missing}") if missing else Outcome("completed", early)
    if ended.stopped:
        return Outcome("lost", "stopped")
    if ended.lost is not None:
        return Outcome("lost", ended.lost)
    if ended.problem is not None:
        return Outcome("failed", ended.problem)
    if ended.timed_out:
        return Outcome("failed", "out of time: it ran longer than `timeout` allows")
    if ended.out_of_memory:
        return Outcome("failed", "out of memory")
    if ended.signal is not None:
        return Outcome("failed", f"killed by signal {ended.signal}{_signal_name(ended.signal)}")
    if ended.code != 0:
        return Outcome("failed", f"exit code {ended.code}{_code_meaning(ended.code)}")
    if reason := ended.complaint or missing:
        return Outcome("failed", reason)
    return Outcome("completed")


def required_metrics(metrics: Sequence[Metric]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the metrics that a training run has to log: all of an experiment's, and those that it needs even if it is stopped early.

    A metric that is only stored may be logged at the very end, which one that is stopped early never reaches.
    """
    return tuple(one["name"] for one in metrics), tuple(one["name"] for one in metrics if one.get("strategy") != "store")


def is_cut_short(ended: Exit) -> bool:
    """Whether the attempt ended because somebody ended it, or was lost: not by itself."""
    return ended.stopped or ended.lost is not None


def _missing(values: Mapping[str, Any], required: Sequence[str]) -> str | None:
    names = [name for name in required if name not in values]
    is_many = len(names) > 1
    return f"metric{'s' if is_many else ''} {', '.join(names)} {'were' if is_many else 'was'} not logged" if names else None


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""


def _code_meaning(code: int | None) -> str:
    if code is not None and 128 < code < 160:
        return f": it was killed by signal {code - 128}{_signal_name(code - 128)}"
    return {126: ": a command could not be executed", 127: ": a command was not found"}.get(code or 0, "")


def log_excerpt(log: bytes) -> str:
    """The first and the last 512 characters of a log, with a note between them if it is longer."""
    text = log.decode("utf-8", "replace").replace("\x00", "")
    if len(text) < 2 * EXCERPT:
        return text
    return f"{text[:EXCERPT]}\n... {len(text) - 2 * EXCERPT} characters left out ...\n{text[-EXCERPT:]}"
