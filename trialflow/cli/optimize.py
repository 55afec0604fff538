"""`trialflow optimize`."""

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.api_types import Experiment
from trialflow.cli.best import show_summary
from trialflow.cli.options import (
    MODEL_COMMAND,
    Decorator,
    command_argument,
    experiment_file_option,
    project_option,
    read_run,
    read_source,
    run_file_option,
    same_options,
    source_file_option,
)
from trialflow.cli.terminal.messages import next_commands, say, warn
from trialflow.cli.terminal.output import output_option
from trialflow.errors import ExperimentFailed, TrialflowError

if TYPE_CHECKING:
    from flows.on_cluster import OnCluster
    from trialflow.cli.triggering import Order
    from trialflow.embedded import Standing
    from trialflow.events import Event
    from trialflow.results.board import Board
    from trialflow.specs import RunSpec


@dataclass(frozen=True)
class Asked:
    """The options of `optimize`, whether training runs execute here or on a cluster."""

    experiment_file: str
    run_file: str
    source_file: str | None
    project: str | None
    new: bool
    canary: bool
    stop_after_failures: int
    output: str
    detach: bool = False

    @property
    def how(self) -> dict[str, Any]:
        """The flow's options."""
        return {"new": self.new, "canary": self.canary, "stop_after_failures": self.stop_after_failures}


OPTIONS: tuple[Decorator, ...] = (
    experiment_file_option,
    run_file_option,
    source_file_option,
    project_option,
    click.option("--new", is_flag=True, help="Start a new experiment even if this one is unfinished."),
    click.option("--canary/--no-canary", default=True, help="Wait for the first training run to complete before starting others."),
    click.option(
        "--stop-after-failures",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        help="Stop after this many failures in a row; 0 for never.",
    ),
    click.option("--detach", is_flag=True, help="Leave the experiment to `trialflow up`, or to the cluster's server, and return once it has begun."),
    output_option,
)


def asks(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options in `Asked` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command(context_settings=MODEL_COMMAND)
@asks
@command_argument
def optimize(command: tuple[str, ...], **options: Any) -> int:
    """Run the experiment in experiment.yml until its budget is spent.

    COMMAND starts the model; without it, `run:` in run.yml does. Options of trialflow come before COMMAND; everything after its first word belongs to
    the model. Run the same command again to resume after an interruption, or to continue a finished experiment whose `budget` you raised.
    """
    asked = Asked(**options)
    return work_on(asked, read_run(asked.run_file, command, directory=Path.cwd()), command)


def work_on(asked: Asked, run: "RunSpec", command: tuple[str, ...], on_cluster: "Callable[[], OnCluster] | None" = None) -> int:
    """Work on an experiment, here or `on_cluster` (called once Prefect answers), and show its result. Returns the exit code."""
    from trialflow.specs import load_experiment

    directory = Path.cwd()
    source = read_source(asked.source_file, directory)
    spec = load_experiment(asked.experiment_file)

    from trialflow.cli.triggering import Order, triggers

    if found := triggers(detach=asked.detach):
        return _trigger(found, Order(spec, run, asked.project, directory, source), asked, command, on_cluster)
    from trialflow.api.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (sign in: `trialflow token --prefect`)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect, run_on_board

        quiet_prefect(session.home)
        from flows.optimize import Options
        from flows.optimize import optimize as flow

        beside: list[asyncio.Future[None]] = []

        def on_event(event: "Event") -> None:
            if event.kind == "experiment" and event.facts["resumed"] == "create" and not asked.new:
                beside.append(asyncio.ensure_future(_say_namesake(event.facts["experiment"])))

        options = Options(**asked.how, when_finished="report")
        cluster = on_cluster() if on_cluster else None
        board, ended = run_on_board(
            lambda: flow(experiment=spec, run=run, project=asked.project, directory=str(directory), source=source, cluster=cluster, options=options),
            ui_url=session.ui_url,
            on_interrupt="stopping the training runs in flight; they are launched again later "
            + ("(Ctrl-C again to leave them running)" if on_cluster else "(Ctrl-C again to exit at once)"),
            before_leaving="exit now and leave the training runs on the cluster?" if on_cluster else None,
            on_event=on_event,
        )
    if not ended:  # interrupted here, or cancelled in Prefect
        say_stopped(board, same_options(click.get_current_context().command_path, without=["new"]))
        return 130
    show_end(ended, asked, command)
    return 0


def _trigger(found: "Standing", order: "Order", asked: Asked, command: tuple[str, ...], on_cluster: "Callable[[], OnCluster] | None") -> int:
    """Leave the work to `trialflow up`, and follow it."""
    from trialflow.cli.follow import trigger_and_follow

    def ended(facts: dict[str, Any]) -> None:
        show_end(facts, asked, command)

    options = {**asked.how, "when_finished": "report"}
    return trigger_and_follow(found, replace(order, options=options), on_cluster, always_new=asked.new, detach=asked.detach, show_end=ended)


async def _say_namesake(experiment: Experiment) -> None:
    """Name the experiment of the same name that a new one does not continue: the file has changed."""
    from trialflow.api.session import service_session
    from trialflow.results.facts import changed_fields, namesake

    try:
        async with service_session() as (_, client):
            other = namesake(experiment, await client.experiments(experiment["project"]))
    except TrialflowError:
        return  # the flow meets the same, and says so
    if other is not None:
        changed = " and ".join(changed_fields(experiment, other)) or "definition"
        say(f"it does not continue experiment {other['id']} of the same name, whose {changed} differ from this file")
        say(f"to use those results too, stop this and run `trialflow experiment copy {other['id']} {experiment['id']}`, then optimize again")


def say_stopped(board: "Board", again: str) -> None:
    """Say how far the interrupted experiment came, and that the command `again` resumes it."""
    if board.experiment_id:
        say(f"stopped with {board.progress} training runs done; nothing is lost")
        next_commands([again, f"trialflow experiment show {board.experiment_id}"])
    else:
        say("stopped before work on the experiment began; nothing is lost")
        next_commands([again])


def show_end(ended: dict[str, Any], asked: Asked, command: tuple[str, ...]) -> None:
    """Show the best of an experiment that has ended. Raises `ExperimentFailed` if no training run has completed."""
    summary = ended["summary"]
    identifier = summary["experiment"]
    if ended["resumed"] == "report":
        say(f'experiment {identifier} "{summary["name"]}" is finished; raise `budget` to continue it, or start a new one with --new')
    elif summary["space_exhausted"]:
        say("space exhausted: every point has been tried, so the rest of the budget is not needed")
    show_summary(summary, asked.output)
    if not summary["best"]:
        reason = asyncio.run(_no_best(identifier))
        if isinstance(reason, ExperimentFailed):
            raise reason
        warn(reason.message)
    run = click.get_current_context().command_path.replace("optimize", "run").split()
    again = shlex.join([*run, "-r", "best.yml", *(["-p", asked.project] if asked.project else []), *(["--", *command] if command else [])])
    files = "" if asked.run_file == "run.yml" else f"-r {shlex.quote(asked.run_file)} "
    next_commands(
        [
            f"trialflow experiment show {identifier}",
            f"trialflow experiment best {identifier} {files}-o best.yml && {again}",
            f"trialflow experiment export {identifier} -o csv",
        ]
    )


async def _no_best(identifier: str) -> TrialflowError:
    from trialflow.api.calls import no_best
    from trialflow.api.session import service_session

    async with service_session() as (_, client):
        return await no_best(client, await client.experiment(identifier))
