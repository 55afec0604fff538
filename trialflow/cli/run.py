"""`trialflow run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.options import command_argument, project_option, read_run, read_source, run_file_option, source_file_option
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.terminal.output import output_option, show

if TYPE_CHECKING:
    from trialflow.cli.cluster.place import Place
    from trialflow.specs import RunSpec


@click.command()
@run_file_option
@source_file_option
@project_option
@output_option
@command_argument
def run(run_file: str, source_file: str | None, project: str | None, output: str, command: tuple[str, ...]) -> int:
    """Execute one training run, tracked: COMMAND, or what run.yml says. What the model prints is shown and kept."""
    spec = read_run(run_file, command, directory=Path.cwd())
    return execute(spec, read_source(source_file, Path.cwd()), project, output)


def execute(spec: "RunSpec", source: dict[str, str] | None, project: str | None, output: str, place: "Place | None" = None) -> int:
    """Execute one training run, here or on the cluster of `place`, and show it. Returns the exit code."""
    directory = Path.cwd()
    from trialflow.cli.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (sign in with what `trialflow token --prefect` prints)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect, run_flow

        quiet_prefect(session.home)
        from flows.training_run import training_run
        from trialflow.events import Event, log_sink, watcher

        begun: dict[str, Any] = {}

        def watch(event: Event) -> None:
            if event.kind == "launched" and event.run and not begun:
                begun.update(event.run)
                say(f"training run {event.run['id']}")
            elif event.kind in ("pending", "waiting"):
                say(f"{event.kind}: {event.text}")
            elif event.kind == "lost":
                say(f"lost ({event.text}); it is launched again")

        watcher.set(watch)
        cluster = place.prepared() if place else None
        if output == "table":
            log_sink.set(_print)
        result, interrupted = run_flow(
            lambda: training_run(run=spec, project=project, directory=str(directory), source=source, cluster=cluster),
            on_interrupt="stopping the training run " + ("(Ctrl-C again: leave it running?)" if place else "(Ctrl-C again: leave it at once)"),
            before_leaving="leave now, and let the training run go on, on the cluster?" if place else None,
        )
    if interrupted or result is None:  # or cancelled in Prefect
        say(f"training run {begun.get('id', '')} was stopped")
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


def _print(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
