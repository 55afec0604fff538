"""`trialflow cluster optimize`."""

from typing import Any

import click

from trialflow.cli.cluster.options import cluster_option
from trialflow.cli.cluster.place import dockerfile_option, drawn, place_of
from trialflow.cli.optimize import Asked, asks, work_on
from trialflow.cli.options import MODEL_COMMAND, command_argument


@click.command(context_settings=MODEL_COMMAND)
@cluster_option
@dockerfile_option
@asks
@command_argument
def optimize(cluster_name: str | None, dockerfile: str | None, command: tuple[str, ...], **options: Any) -> int:
    """Work on the experiment of experiment.yml, with its training runs on the cluster.

    The image of run.yml is used, or one is made from the Dockerfile; nothing is built or pushed if nothing has changed. The same command again goes
    on where it stopped and adopts what still runs.
    """
    asked = Asked(**options)
    place = place_of(cluster_name, dockerfile, asked.run_file, asked.experiment_file, command)
    with drawn():
        return work_on(asked, place.run, command, place)
