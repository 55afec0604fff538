"""What a flow works with, as two values: one for the whole flow, one for the training runs that share a compute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.compute import Attempt, Compute, Computes
from tasks.experiments.client import ServiceClient
from trialflow.api_types import TrainingRun
from trialflow.home import Home
from trialflow.specs import RunSpec

if TYPE_CHECKING:
    from tasks.experiments.early_stopper import EarlyStopper


@dataclass(frozen=True)
class FlowContext:
    """An open service, a place for training runs, and the model: `run` in `directory`, `source` being the hash and content of its source file.

    `flow_run_id` is that of the Prefect flow run, None outside of one. `folder` is `HOST:PATH` of the directory if experiments belong to it.
    `stop` asks the flow to end in order. `ui_url` is where Prefect's UI shows the flow run, if that is known.
    """

    home: Home
    client: ServiceClient
    computes: Computes
    project: str
    run: RunSpec
    directory: Path
    source: Mapping[str, str]
    flow_run_id: str | None = None
    folder: str | None = None
    stop: Callable[[], None] = lambda: None
    ui_url: str | None = None


@dataclass(frozen=True)
class RunContext:
    """What the training runs of one scope share: `compute`, and the metrics that each has to log to count as completed.

    One that is stopped early has to have logged `required_if_stopped` only: the others may come at its end. `early_stopper` is None if the
    experiment asks for no early stopping.
    """

    flow: FlowContext
    compute: Compute
    required: tuple[str, ...] = ()
    required_if_stopped: tuple[str, ...] = ()
    early_stopper: "EarlyStopper | None" = None

    def attempt(self, training_run: TrainingRun, number: int) -> Attempt:
        """One attempt of a training run, as the compute takes it."""
        run = self.flow.run
        return Attempt(
            training_run=training_run,
            number=number,
            command=tuple(run.run or ()),
            project=self.flow.project,
            directory=self.flow.directory,
            environment=dict(run.env),
            patterns=dict(run.metrics),
            timeout=run.timeout,
            experiment_id=str(training_run["experiment"]) if training_run.get("experiment") else None,
        )
