"""What every place that executes training runs can do: the interface between the flows and local processes or Kubernetes Jobs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

model_keys: ContextVar[Mapping[str, str] | None] = ContextVar("model_keys", default=None)
"""Secrets of the model that whoever calls a flow in this process has, such as the AWS keys of run.yml: flow parameters are shown and hold none."""
Assignment = float | int | str


@dataclass(frozen=True)
class Attempt:
    """One attempt to execute one training run: everything a compute needs to start it.

    `training_run` is the training run's JSON as the service gave it (at least `id`, `name`, `assignments`); `attempt` counts from 1 and
    grows by one each time the training run was lost. `command` is an argument vector. `directory` is where the model runs (local only).
    `patterns` maps a metric's name to a regular expression with one group that is searched in every line printed. `timeout` is in seconds.
    """

    training_run: Mapping[str, Any]
    attempt: int
    command: Sequence[str]
    project: str
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    experiment_id: str | None = None

    @property
    def training_run_id(self) -> str:
        """The id of the training run, decimal digits."""
        return str(self.training_run["id"])


@dataclass(frozen=True)
class Report:
    """One thing that the model logged, in the order in which it logged them; `number` counts from 1 within one attempt.

    `kind` is `merge` (body: a MERGE body for the training run, as in the SigOpt API), `checkpoint` (body: `{"values": [...]}`) or `file` (body:
    `content_type`, `content` in base64, and `name` and `filename` if it has them).
    """

    number: int
    kind: Literal["merge", "checkpoint", "file"]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Exit:
    """How one attempt ended, as facts: no verdict yet.

    `lost` is set, with its reason, when the attempt ended through no fault of the model (machine rebooted, launcher killed, pod evicted).
    `problem` is set when the command could not be started at all, `complaint` when a metric that the model printed cannot be used.
    Otherwise `code` is the exit code or `signal` the signal's number.
    Times are epoch seconds.
    """

    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    timed_out: bool = False
    stopped: bool = False
    lost: str | None = None
    problem: str | None = None
    complaint: str | None = None
    started: float | None = None
    ended: float | None = None


class Compute(Protocol):
    """Executes training runs. Every method can be called again after a crash of the caller, with the same arguments."""

    async def launch(self, work: Attempt) -> None:
        """Start `work`, or adopt it if this attempt was started before. Returns as soon as it is started.

        Raises `InvalidInput` if it can never be started as asked.
        """
        ...

    async def follow(
        self,
        work: Attempt,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None = None,
        on_pending: Callable[[str], None] | None = None,
    ) -> Exit:
        """Wait, by watching, until the attempt has ended, and return how.

        `on_reports` gets all reports of the attempt in order, in batches as they arrive, from the first one again after a crash of the
        caller; when `follow` returns it has seen them all. `on_log` gets what the model printed, as it comes; `on_pending` why it does not run yet.
        Cancelling it leaves the training run as it is.
        """
        ...

    async def stop(self, work: Attempt, *, grace: float = 10.0) -> None:
        """End the attempt: ask, wait `grace` seconds, then kill. Nothing of it is left when this returns. No error if it is gone already."""
        ...

    async def discard(self, work: Attempt) -> None:
        """The attempt has ended and its result is stored: give back what it still holds where it ran. No error if that is nothing."""
        ...

    def read_log(self, work: Attempt, *, last: int | None = None) -> bytes:
        """What the attempt printed, the `last` bytes of it if given; empty if there is none."""
        ...
