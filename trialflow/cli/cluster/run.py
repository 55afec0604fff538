"""`trialflow cluster run`."""

from pathlib import Path

import click

from trialflow.cli.cluster.options import cluster_option
from trialflow.cli.cluster.place import dockerfile_option, drawn, place_of
from trialflow.cli.options import MODEL_COMMAND, command_argument, project_option, read_source, run_file_option, source_file_option
from trialflow.cli.run import execute
from trialflow.cli.terminal.output import output_option


@click.command(context_settings=MODEL_COMMAND)
@run_file_option
@source_file_option
@project_option
@cluster_option
@dockerfile_option
@output_option
@command_argument
def run(
    run_file: str,
    source_file: str | None,
    project: str | None,
    cluster_name: str | None,
    dockerfile: str | None,
    output: str,
    command: tuple[str, ...],
) -> int:
    """Execute one training run on the cluster: COMMAND, or what run.yml says, or what the image says. What it prints is shown and kept."""
    place = place_of(cluster_name, dockerfile, run_file, None, command)
    with drawn():
        return execute(place.run, read_source(source_file, Path.cwd()), project, output, place)
