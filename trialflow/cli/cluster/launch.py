"""`trialflow cluster run`, `test-run` and `optimize`: what `trialflow run` and `optimize` do, on a cluster that is known here."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.cluster.options import cluster_option, dockerfile_option, no_build_option, the_cluster
from trialflow.cli.optimize import Asked, asks, work_on
from trialflow.cli.options import MODEL_COMMAND, command_argument, project_option, read_source, run_file_option, source_file_option
from trialflow.cli.reaching import here_option, server_if_any
from trialflow.cli.run import execute
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.output import output_option

if TYPE_CHECKING:
    from trialflow.api.cluster_place import ClusterPlace


@click.command(context_settings=MODEL_COMMAND)
@cluster_option
@dockerfile_option
@no_build_option
@here_option
@asks
@command_argument
def optimize(cluster_name: str | None, dockerfile: str | None, no_build: bool, here: bool, command: tuple[str, ...], **options: Any) -> int:
    """Work on the experiment of experiment.yml, with its training runs on the cluster.

    On a cluster with a server (`install-plugins --server`) the experiment is left to it: it goes on when this machine is gone.

    The image is built from the Dockerfile, or run.yml names one that exists; nothing is built or pushed if nothing has changed. The same command
    again goes on where it stopped and adopts what still runs.
    """
    asked = Asked(**options)
    place = place_of(cluster_name, dockerfile, asked.run_file, asked.experiment_file, command, build=not no_build)
    with drawn(), server_if_any(place.cluster, here=here, looks=asked.detach) as reached:
        if reached:
            from trialflow.cli.cluster.leaving import leave_to

            return leave_to(reached, asked, place, command)
        return work_on(asked, place.run, command, place.prepared)


@click.command(context_settings=MODEL_COMMAND)
@run_file_option
@source_file_option
@project_option
@cluster_option
@dockerfile_option
@no_build_option
@output_option
@command_argument
def run(
    run_file: str,
    source_file: str | None,
    project: str | None,
    cluster_name: str | None,
    dockerfile: str | None,
    no_build: bool,
    output: str,
    command: tuple[str, ...],
) -> int:
    """Execute one training run on the cluster: COMMAND, or what run.yml says, or what the image says. What it prints is shown and kept."""
    place = place_of(cluster_name, dockerfile, run_file, None, command, build=not no_build)
    with drawn():
        return execute(place.run, read_source(source_file, Path.cwd()), project, output, place.prepared)


def place_of(
    cluster_name: str | None, dockerfile: str | None, run_file: str, experiment_file: str | None, command: tuple[str, ...], *, build: bool = True
) -> "ClusterPlace":
    """The cluster and what runs there, from the files of this folder. Raises `InvalidInput` before anything is started."""
    from trialflow.api.cluster_place import place_on
    from trialflow.cli.options import read_run

    cluster = the_cluster(cluster_name)
    run = read_run(run_file, command, directory=Path.cwd(), needs_command=False)
    files = [file for file in (run_file, experiment_file) if file and Path(file).exists()]
    return place_on(cluster, run, dockerfile, leave_out=files, build=build, say=say)


def drawn() -> "AbstractContextManager[Any]":
    """Draws the image's making while it is made."""
    from trialflow.cli.terminal.image_progress import image_shown

    return image_shown()
