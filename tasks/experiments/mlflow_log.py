"""Training runs logged to MLflow as they end, if `mlflow` of `experiment.yml` asks for it. The work neither waits for it nor fails with it."""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any

from tasks.experiments.client import ServiceClient
from trialflow.api_types import Experiment, TrainingRun
from trialflow.results.exports.mlflow_runs import MlflowRuns
from trialflow.results.text import counted
from trialflow.specs.mlflow import MlflowSpec

FINISH_SECONDS = 30.0
"""How long the end of work waits for what is not logged yet."""
Json = Mapping[str, Any]

logger = logging.getLogger(__name__)


class MlflowLog:
    """Logs the training runs of one experiment. `open_runs` connects to MLflow; it and all that it does run in a thread that nobody waits for.

    What MLflow does not take is a warning, once, and at the end how many there were: `trialflow experiment export` adds them later.
    """

    def __init__(
        self,
        client: ServiceClient,
        experiment: Experiment,
        spec: MlflowSpec,
        *,
        open_runs: Callable[..., MlflowRuns] = MlflowRuns,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        self._client = client
        self._experiment = experiment
        self._spec = spec
        self._open_runs = open_runs
        self._warn = warn
        self._reading: set[asyncio.Task[None]] = set()
        self._queue: queue.SimpleQueue[tuple[TrainingRun, Sequence[Json]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._asked = 0
        self._logged = 0
        self._has_warned = False

    def start(self) -> None:
        """Connect to MLflow, beside the work: that may take a while, and a new store has its tables made."""
        if self._thread is None:
            warn = partial(asyncio.get_running_loop().call_soon_threadsafe, self._warn_once, context=copy_context())
            self._thread = threading.Thread(target=self._log_all, args=(warn,), name="mlflow", daemon=True)
            self._thread.start()

    def ended(self, training_run_id: str) -> None:
        """A training run has ended: it is read from the service and logged, beside the work."""
        self._asked += 1
        task = asyncio.create_task(self._read(training_run_id), name=f"mlflow-{training_run_id}")
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def finish(self, *, seconds: float = FINISH_SECONDS) -> None:
        """Wait for a while until all is logged, and say what is not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*self._reading, return_exceptions=True)
                if self._thread is not None:
                    self._queue.put(None)
                    while self._thread.is_alive():
                        await asyncio.sleep(0.05)
                    await asyncio.sleep(0)  # for what the thread said last
        if left := self._asked - self._logged:
            command = f"trialflow experiment export {self._experiment['id']} --mlflow {self._spec.tracking_uri}"
            were = "was" if left == 1 else "were"
            self._warn(f"{counted(left, 'training run')} {were} not logged to MLflow; `{command}` adds them")

    async def _read(self, training_run_id: str) -> None:
        try:
            run = await self._client.run(training_run_id)
            checkpoints = await self._client.checkpoints(training_run_id) if run.get("checkpoint_count") else []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost a training run
            self._warn_once(error)
            return
        self._queue.put((run, checkpoints[::-1]))
        self.start()

    def _log_all(self, warn: Callable[[Exception], Any]) -> None:
        runs: MlflowRuns | None = None
        with contextlib.suppress(Exception):  # tried again, and told, when there is something to log
            runs = self._open_runs(self._experiment, self._spec.tracking_uri, name=self._spec.experiment)
        while (item := self._queue.get()) is not None:
            try:
                runs = runs or self._open_runs(self._experiment, self._spec.tracking_uri, name=self._spec.experiment)
                runs.add(*item)
                self._logged += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost a training run
                with contextlib.suppress(RuntimeError):  # nobody waits any more
                    warn(error)

    def _warn_once(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            self._warn(f"a training run could not be logged to MLflow at {self._spec.tracking_uri}, and work goes on: {reason}")
