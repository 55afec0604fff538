"""What every place that executes training runs can do: the interface between the flows and local processes or Kubernetes Jobs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from trialflow.api_types import TrainingRun
from trialflow.errors import TrialflowError
from trialflow.results.spending import NodeUse

Assignment = float | int | str


@dataclass(frozen=True)
class Attempt:
    """One attempt to execute one training run: everything a compute needs to start it.

    `training_run` is the training run's JSON as the service gave it (at least `id`, `name`, `assignments`); `number` counts from 1 and
    grows by one each time the training run was lost. `command` is an argument vector. `directory` is where the model runs (local only).
    `patterns` maps a metric's name to a regular expression with one group that is searched in every line printed. `timeout` is in seconds.
    """

    training_run: TrainingRun
    number: int
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

    @property
    def label(self) -> str:
        """The training run as people know it: `6 (run-ab12cd34)`."""
        return label_of(self.training_run)

    def launch_plan(self, training_run: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the launcher is told, whatever starts it. `training_run` is as much of the training run's JSON as it gets that way."""
        return {
            "training_run": training_run,
            "attempt": self.number,
            "project": self.project,
            "patterns": dict(self.patterns),
            "timeout": self.timeout,
            "experiment_id": self.experiment_id,
        }


def label_of(training_run: TrainingRun) -> str:
    """A training run as people know it: `6 (run-ab12cd34)`."""
    return f"{training_run['id']} ({training_run['name']})" if training_run.get("name") else str(training_run["id"])


IssueToken = Callable[[Attempt], Awaitable[str]]
"""Has the service issue a token for an attempt, good for its training run alone; see `tasks/experiments/run_tokens.py`."""


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
    use: NodeUse | None = None
    """What the attempt used of a machine that costs."""


class ComputeUnavailable(TrialflowError):
    """The place where training runs execute did not answer. The same request may work later, and what runs there goes on."""


@dataclass(frozen=True)
class Scope:
    """Whose training runs a compute executes: an experiment's, or one training run by itself.

    `uid` is unique beyond one service: the experiment's unique name, or the training run's name.
    """

    uid: str
    experiment_id: str | None = None
    training_run_id: str | None = None


class Compute(Protocol):
    """Executes training runs. Every method can be called again after a crash of the caller, with the same arguments."""

    async def launch(self, attempt: Attempt) -> None:
        """Start `attempt`, or adopt it if this attempt was started before. Returns as soon as it is started.

        Raises `InvalidInput` if it can never be started as asked.
        """
        ...

    async def follow(
        self,
        attempt: Attempt,
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

    async def stop(self, attempt: Attempt, *, grace: float = 10.0) -> None:
        """End the attempt: ask, wait `grace` seconds, then kill. Nothing of it is left when this returns. No error if it is gone already."""
        ...

    async def discard(self, attempt: Attempt) -> None:
        """The attempt has ended and its result is stored: give back what it still holds where it ran. No error if that is nothing."""
        ...

    def place(self, attempt: Attempt) -> str | None:
        """Where people find the attempt: `CLUSTER/JOB`. None if it is not on a cluster."""
        ...

    def uses(self) -> Sequence[NodeUse]:
        """What is in use at the moment of machines that cost."""
        ...

    def read_log(self, attempt: Attempt, *, last: int | None = None) -> bytes:
        """What the attempt printed, the `last` bytes of it if given; empty if there is none."""
        ...


class Computes(Protocol):
    """A place where training runs can be executed: it has been checked, and opens a compute for each scope."""

    @property
    def has_prices(self) -> bool:
        """Whether it is known what the machines there cost."""
        ...

    def open(self, scope: Scope) -> AbstractAsyncContextManager[Compute]:
        """A compute for one scope, for as long as it is open.

        An orderly end leaves nothing of the scope behind. If the service or the place itself is away, what runs is left running, to be adopted later.
        """
        ...

    async def sweep(self, uid: str) -> None:
        """Delete what a killed flow may have left behind of the scope `uid`, which is finished. No error if that is nothing."""
        ...
