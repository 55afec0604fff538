"""`trialflow run`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.options import MODEL_COMMAND, command_argument, project_option, read_run, read_source, run_file_option, source_file_option
from trialflow.cli.terminal.messages import next_commands, say, warn
from trialflow.cli.terminal.output import output_option, show

if TYPE_CHECKING:
    from flows.on_cluster import OnCluster
    from trialflow.specs import RunSpec


@click.command(context_settings=MODEL_COMMAND)
@run_file_option
@source_file_option
@project_option
@output_option
@command_argument
def run(run_file: str, source_file: str | None, project: str | None, output: str, command: tuple[str, ...]) -> int:
    """Execute one training run and track it. COMMAND starts the model; without it, `run:` in run.yml does.

    Options of trialflow come before COMMAND; everything after its first word belongs to the model.
    """
    spec = read_run(run_file, command, directory=Path.cwd())
    return execute(spec, read_source(source_file, Path.cwd()), project, output)


def execute(
    spec: "RunSpec", source: dict[str, str] | None, project: str | None, output: str, on_cluster: "Callable[[], OnCluster] | None" = None
) -> int:
    """Execute one training run, here or `on_cluster` (called once Prefect answers), and show its result. Returns the exit code."""
    directory = Path.cwd()
    from trialflow.api.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (sign in: `trialflow token --prefect`)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect, run_flow

        quiet_prefect(session.home)
        from flows.training_run import training_run
        from trialflow.events import Event, log_sink, watcher

        begun: dict[str, Any] = {}

        def watch(event: Event) -> None:
            if event.kind == "launched" and event.run and not begun:
                begun.update(event.run)
                say(f"training run {event.run['id']}")
            elif event.kind in ("pending", "waiting", "warning"):
                say(f"{event.kind}: {event.text}")
            elif event.kind == "lost":
                say(f"lost ({event.text}); launching it again")

        watcher.set(watch)
        cluster = on_cluster() if on_cluster else None
        if output == "table":
            log_sink.set(Echo())
        result, interrupted = run_flow(
            lambda: training_run(run=spec, project=project, directory=str(directory), source=source, cluster=cluster),
            on_interrupt="stopping the training run " + ("(Ctrl-C again to leave it running)" if on_cluster else "(Ctrl-C again to exit at once)"),
            before_leaving="exit now and leave the training run on the cluster?" if on_cluster else None,
        )
    if interrupted or result is None:  # or cancelled in Prefect
        say(f"training run {begun['id']} was stopped" if begun else "stopped before the training run began")
        return 130
    show(
        result,
        output=output,
        names=[result["training_run"]],
        columns=["TRAINING RUN", "STATE", "METRICS"],
        rows=[[result["training_run"], result["state"], result["values"]]],
    )
    next_commands([f"trialflow logs {result['training_run']}"])
    return 0


class Echo:
    """What the model prints, passed on to stdout. If that cannot be written, the training run goes on without it: the whole output is in its log."""

    def __init__(self) -> None:
        self._works = True

    def __call__(self, chunk: bytes) -> None:
        """Pass on a piece of output."""
        if not self._works:
            return
        try:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        except OSError as error:
            self._works = False
            warn(f"the output of the model can no longer be shown: {error.strerror}")
