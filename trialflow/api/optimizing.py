"""`trialflow.optimize`: what the command does, from Python."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.api.experiment import Experiment
from trialflow.api.given import as_experiment, as_run
from trialflow.api.model_function import LeftRunning, sent_function
from trialflow.api.process import OwnProcess, ask
from trialflow.api.progress import progress_here
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trialflow.specs import ExperimentSpec, RunSpec


def optimize(
    experiment: "str | Path | Mapping[str, Any] | ExperimentSpec" = "experiment.yml",
    run: "str | Path | Sequence[str] | Mapping[str, Any] | RunSpec | Callable[[dict[str, Any]], Any] | None" = None,
    *,
    project: str | None = None,
    cluster: str | None = None,
    dockerfile: str | None = None,
    build: bool = True,
    new: bool = False,
    canary: bool = True,
    stop_after_failures: int = 5,
    timeout: float | str | None = None,
    memory: str | int | None = None,
    source: str | Path | None = None,
    progress: bool = True,
) -> Experiment:
    """Work on an experiment until its budget is spent. The same one again resumes after an interruption, or goes on if its budget was raised.

    Args:
        experiment: experiment.yml by its path, or what it says as a dict.
        run: The model: a command for the shell, a list of words, run.yml by its path, what it says as a dict, or a function that takes the
            assignments as a dict and returns its metrics as a dict, or the value of the only one. With a command or a function, run.yml of the
            present folder says the rest, if there is one. By default run.yml says everything.
        project: The project; by default SIGOPT_PROJECT, else the present folder's name.
        cluster: The name of a cluster that was connected; by default training runs execute on this machine.
        dockerfile: The Dockerfile of the image, for a cluster.
        build: Build the image, for a cluster; False uses that of run.yml as it is.
        new: Start a new experiment even if this one is unfinished.
        canary: Wait for the first training run to complete before starting others.
        stop_after_failures: Stop after this many failures in a row; 0 never does.
        timeout: After so long a training run has failed: seconds, or "90s", "15m", "2h".
        memory: How much memory a function may use, such as "2Gi".
        source: The model's source file, stored with each training run.
        progress: Show progress, in a notebook's cell or on stderr.

    Returns:
        The experiment, whose `best()` has completed. An interrupt (Ctrl-C) stops the training runs in order, and a second one leaves them running;
        nothing is lost either way.

    Raises:
        InvalidInput: Something given cannot be accepted; nothing was started.
        ExperimentFailed: No training run completed, or too many failed in a row.
        TrialflowError: Something outside went wrong, or the work was stopped from elsewhere.
    """
    asked = {
        "experiment": as_experiment(experiment),
        "project": project,
        "cluster": cluster,
        "dockerfile": dockerfile,
        "build": build,
        "source": None if source is None else str(source),
        "options": {"new": new, "canary": canary, "stop_after_failures": stop_after_failures},
    }
    if type(stop_after_failures) is not int or stop_after_failures < 0:
        raise InvalidInput(f"stop_after_failures is {stop_after_failures!r}, and a whole number from 0 on is expected")
    limits = {"timeout": timeout, "memory": memory}
    if callable(run):
        with sent_function(run) as function:
            return _work({**asked, "run": limits, "function": function}, progress)
    return _work({**asked, "run": {**as_run(run), **limits}}, progress)


def _work(asked: Mapping[str, Any], is_shown: bool) -> Experiment:
    shown = progress_here(is_shown)

    def take(message: Mapping[str, Any]) -> None:
        if "event" in message:
            shown.event(Event(**message["event"]))
        else:
            shown.say(message["say"])

    ended: Mapping[str, Any] | None = None
    try:
        with _own_process() as process:
            ended = _until_ended(process, asked, take)
    finally:
        shown.end(is_finished=bool(ended))
    board = shown.board
    if not ended:
        raise TrialflowError(
            f"the work on experiment {board.experiment_id} was stopped with {board.progress} training runs done",
            hint="nothing is lost: the same call goes on with it",
        )
    return Experiment(ask("experiment", identifier=ended["summary"]["experiment"], project=None))


def _until_ended(process: OwnProcess, asked: Mapping[str, Any], take: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """What became of it. An interrupt is passed on, and raised when the work has stopped; so is a second one, which does not wait for that."""
    try:
        return process.call("optimize", asked, take)
    except KeyboardInterrupt:
        process.interrupt()
        try:
            process.drain(take)
        except KeyboardInterrupt:
            process.interrupt()
            raise LeftRunning from None
        except TrialflowError:
            pass  # the interrupt is what the caller is told
        raise


@contextmanager
def _own_process() -> "Iterator[OwnProcess]":
    process = OwnProcess()
    try:
        yield process
    finally:
        process.close()
