"""`trialflow start-worker`: join the work on an experiment."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trialflow.api_types import Experiment
from trialflow.cli.optimize import say_stopped
from trialflow.cli.options import MODEL_COMMAND, command_argument, read_run, read_source, run_file_option, same_options, source_file_option
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.results.text import progress

if TYPE_CHECKING:
    from trialflow.specs import RunSpec


class IdFirst(click.Command):
    """A command whose first word is an ID, with options before it or after it, and then the model's command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        return super().parse_args(ctx, ["--id", *args] if args and not args[0].startswith("-") else args)


@click.command("start-worker", cls=IdFirst, context_settings=MODEL_COMMAND, options_metavar="ID [OPTIONS]")
@click.option("--id", "identifier", hidden=True)
@run_file_option
@source_file_option
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="How many training runs this worker executes at once.")
@click.option(
    "--stop-after-failures", type=click.IntRange(min=0), default=5, show_default=True, help="Stop after this many failures in a row; 0 for never."
)
@command_argument
def start_worker(identifier: str, run_file: str, source_file: str | None, parallel: int, stop_after_failures: int, command: tuple[str, ...]) -> int:
    """Join the work on experiment ID, beside other workers and within its one budget.

    COMMAND starts the model; without it, `run:` in run.yml does. On another machine, set SIGOPT_API_URL and SIGOPT_API_TOKEN to those of a service
    that both machines reach (see `trialflow service`). If a worker is gone, the others execute its training runs again.
    """
    if identifier is None:
        if not command:
            raise click.UsageError("Missing the ID of the experiment to join.")
        identifier, command = command[0], command[1:]
    directory = Path.cwd()
    run = read_run(run_file, command, directory=directory)
    source = read_source(source_file, directory)
    experiment = asyncio.run(_find(identifier))
    return _work(experiment, run, source, parallel=parallel, stop_after_failures=stop_after_failures)


async def _find(identifier: str) -> Experiment:
    from tasks.experiments.identifiers import find_experiment
    from trialflow.api.session import service_session

    async with service_session() as (_, client):
        return await find_experiment(client, identifier, "")


def _work(experiment: Experiment, run: "RunSpec", source: dict[str, str] | None, *, parallel: int, stop_after_failures: int) -> int:
    from trialflow.api.session import flow_session

    with flow_session() as session:
        from trialflow.cli.running import quiet_prefect, run_on_board

        quiet_prefect(session.home)
        from flows.worker import worker

        board, ended = run_on_board(
            lambda: worker(
                experiment_id=str(experiment["id"]),
                run=run,
                project=experiment["project"],
                directory=str(Path.cwd()),
                source=source,
                parallel=parallel,
                stop_after_failures=stop_after_failures,
            ),
            ui_url=session.ui_url,
            on_interrupt="stopping the training runs in flight; they are launched again later (Ctrl-C again to exit at once)",
        )
    if not ended:
        path = click.get_current_context().command_path
        say_stopped(board, same_options(f"{path} {experiment['id']}", without=["identifier"]))
        return 130
    summary = ended["summary"]
    say(f"experiment {summary['experiment']} is at {progress(summary['done'], summary['budget'])}")
    next_commands([f"trialflow experiment show {summary['experiment']}"])
    return 0
