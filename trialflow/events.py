"""What happens in a flow, told to whoever watches it from the same process: the command line's table does."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from trialflow.api_types import TrainingRun


@dataclass(frozen=True)
class Event:
    """One thing that happened. `run` is the training run's JSON, `text` a reason or a sentence, `facts` what else the kind has.

    `experiment`: work on an experiment begins (facts: experiment, resumed, best); `launched`; `lost`; `completed` (a text: why it was stopped early)
    and `failed` (facts: values);
    `pending`: it does not run yet, with the reason; `waiting`: something outside is away and tried again; `ended`: the flow is done (facts: summary);
    `warning`: something is not as it was asked for, and work goes on;
    `verdict`: whether the best is better than that of the experiment before (facts: verdict).
    """

    kind: Literal["experiment", "launched", "lost", "completed", "failed", "pending", "waiting", "warning", "verdict", "ended"]
    run: TrainingRun | None = None
    text: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Watcher = Callable[[Event], None]
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
log_sink: ContextVar[Callable[[bytes], None] | None] = ContextVar("log_sink", default=None)
notices: ContextVar[Callable[[str], None] | None] = ContextVar("notices", default=None)
"""Where a sentence goes that explains why nothing happens for a while."""


def tell(event: Event) -> None:
    """Tell the watcher, if there is one."""
    if (told := watcher.get()) is not None:
        told(event)
