"""`trialflow optimize`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.options import (
    Decorator,
    command_argument,
    experiment_file_option,
    project_option,
    read_run,
    read_source,
    run_file_option,
    source_file_option,
)
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.terminal.output import output_option, show

if TYPE_CHECKING:
    from trialflow.cli.cluster.place import Place
    from trialflow.results.board import Board
    from trialflow.specs import RunSpec


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line, on whatever the training runs are executed."""

    experiment_file: str
    run_file: str
    source_file: str | None
    project: str | None
    new: bool
    canary: bool
    stop_after_failures: int
    output: str

    @property
    def how(self) -> dict[str, Any]:
        """The flow's options."""
        return {"new": self.new, "canary": self.canary, "stop_after_failures": self.stop_after_failures}


OPTIONS: tuple[Decorator, ...] = (
    experiment_file_option,
    run_file_option,
    source_file_option,
    project_option,
    click.option("--new", is_flag=True, help="Start a new experiment even if the same one is unfinished."),
    click.option("--canary/--no-canary", default=True, help="Have the first training run complete alone before the others start."),
    click.option(
        "--stop-after-failures",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        help="End after so many failures in a row; 0 never does.",
    ),
    output_option,
)


def asks(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of `Asked`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@asks
@command_argument
def optimize(command: tuple[str, ...], **options: Any) -> int:
    """Work on the experiment of experiment.yml until its budget is spent. COMMAND runs the model; without it run.yml says how.

    The same command again goes on where it stopped; with a larger `budget` in the file a finished experiment goes on too.
    """
    asked = Asked(**options)
    return work_on(asked, read_run(asked.run_file, command, directory=Path.cwd()), command)


def work_on(asked: Asked, run: "RunSpec", command: tuple[str, ...], place: "Place | None" = None) -> int:
    """Work on an experiment, here or on the cluster of `place`, and show it. Returns the exit code."""
    from trialflow.specs import load_experiment

    directory = Path.cwd()
    source = read_source(asked.source_file, directory)
    spec = load_experiment(asked.experiment_file)

    from trialflow.cli.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (sign in with what `trialflow token --prefect` prints)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect, run_flow

        quiet_prefect(session.home)
        from flows.optimize import Options
        from flows.optimize import optimize as flow
        from trialflow.cli.terminal.live import shown
        from trialflow.events import Event, watcher
        from trialflow.results.board import Board

        board = Board()
        ended: dict[str, Any] = {}
        options = Options(**asked.how, when_finished="report")
        cluster = place.prepared() if place else None
        with shown(board) as view:

            def watch(event: Event) -> None:
                if event.kind == "experiment":
                    _say_begin(event, session.ui_url)
                if event.kind == "ended":
                    ended.update(event.facts)
                view(event)

            watcher.set(watch)
            run_flow(
                lambda: flow(
                    experiment=spec, run=run, project=asked.project, directory=str(directory), source=source, cluster=cluster, options=options
                ),
                on_interrupt="stopping: training runs in flight are ended and launched again later "
                + ("(Ctrl-C again: leave them running on the cluster?)" if place else "(Ctrl-C again: leave them at once)"),
                before_leaving="leave now, and let the training runs that have not ended run on, on the cluster?" if place else None,
            )
            board.end(is_finished=bool(ended))
    if not ended:  # interrupted here, or cancelled in Prefect
        again = f"trialflow {'cluster ' if place else ''}optimize" + (" -- " + " ".join(command) if command else "")
        say_stopped(board, again)
        return 130
    _show_end(ended, asked.output)
    return 0


def _say_begin(event: Any, ui_url: str) -> None:
    experiment, resumed = event.facts["experiment"], event.facts["resumed"]
    done = int(experiment["progress"].get("finished_run_count") or 0)
    how = f"goes on at {done}/{experiment.get('budget') or 'unlimited'}" if resumed == "resume" else "is new"
    say(f'experiment {experiment["id"]} "{experiment["name"]}" {how}')
    if flow_run := event.facts.get("flow_run"):
        say(f"watch: {ui_url}/runs/flow-run/{flow_run}")


def say_stopped(board: "Board", again: str) -> None:
    """Say how far the experiment came that was interrupted, and that the command `again` goes on with it."""
    if board.experiment_id:
        say(f"stopped with {board.done}/{board.budget or 'unlimited'} training runs done; nothing is lost")
        next_commands([again, f"trialflow experiment show {board.experiment_id}"])
    else:
        say("stopped before work on the experiment began; nothing is lost")
        next_commands([again])


def _show_end(ended: dict[str, Any], output: str) -> None:
    summary = ended["summary"]
    identifier = summary["experiment"]
    if ended["resumed"] == "report":
        say(f'experiment {identifier} "{summary["name"]}" is finished; raise `budget` to go on with it, or start another with --new')
    elif summary["space_exhausted"]:
        say("space exhausted: every point of the space has been tried; the rest of the budget is not needed")
    rows = [[one["id"], one["values"], one["assignments"]] for one in summary["best"]]
    if not rows and output == "table":
        say("no training run completed")
    else:
        show(summary, output=output, names=[str(one["id"]) for one in summary["best"]], columns=["BEST", "METRICS", "ASSIGNMENTS"], rows=rows)
    next_commands(
        [
            f"trialflow experiment show {identifier}",
            f"trialflow experiment best {identifier} -o best.yml && trialflow run -r best.yml",
            f"trialflow experiment export {identifier} -o csv",
        ]
    )
