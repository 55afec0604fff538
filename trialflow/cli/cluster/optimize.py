"""`trialflow cluster optimize`."""

from pathlib import Path

import click

from trialflow.cli.cluster.options import cluster_option
from trialflow.cli.cluster.place import dockerfile_option, drawn, place_of
from trialflow.cli.optimize import canary_option, new_option, stop_after_failures_option, work_on
from trialflow.cli.options import command_argument, experiment_file_option, project_option, read_source, run_file_option, source_file_option
from trialflow.cli.output import output_option


@click.command()
@experiment_file_option
@run_file_option
@source_file_option
@project_option
@cluster_option
@dockerfile_option
@new_option
@canary_option
@stop_after_failures_option
@output_option
@command_argument
def optimize(
    experiment_file: str,
    run_file: str,
    source_file: str | None,
    project: str | None,
    cluster_name: str | None,
    dockerfile: str | None,
    new: bool,
    canary: bool,
    stop_after_failures: int,
    output: str,
    command: tuple[str, ...],
) -> int:
    """Work on the experiment of experiment.yml, with its training runs on the cluster.

    The image of run.yml is used, or one is made from the Dockerfile; nothing is built or pushed if nothing has changed. The same command again goes
    on where it stopped and adopts what still runs.
    """
    place = place_of(cluster_name, dockerfile, run_file, experiment_file, command)
    how = {"new": new, "canary": canary, "stop_after_failures": stop_after_failures}
    with drawn():
        return work_on(experiment_file, place.run, read_source(source_file, Path.cwd()), project, how, output, command, place)
