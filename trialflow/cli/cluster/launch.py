"""`trialflow cluster run`, `test-run` and `optimize`: what `trialflow run` and `optimize` do, on a cluster that is known here."""

import asyncio
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.cluster.options import Decorator, cluster_option, the_cluster
from trialflow.cli.optimize import Asked, asks, work_on
from trialflow.cli.options import MODEL_COMMAND, command_argument, project_option, read_source, run_file_option, source_file_option
from trialflow.cli.run import execute
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.output import output_option
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from flows.cluster import OnCluster
    from tasks.images.choice import ImageChoice
    from tasks.kubernetes.client.cluster import Cluster
    from trialflow.specs import RunSpec

dockerfile_option: Decorator = click.option("-d", "--dockerfile", metavar="FILE", help="The Dockerfile of the image; by default `Dockerfile`.")
no_build_option: Decorator = click.option("--no-build", is_flag=True, help="Use the image of run.yml as it is, even if there is a Dockerfile.")


@click.command(context_settings=MODEL_COMMAND)
@cluster_option
@dockerfile_option
@no_build_option
@asks
@command_argument
def optimize(cluster_name: str | None, dockerfile: str | None, no_build: bool, command: tuple[str, ...], **options: Any) -> int:
    """Work on the experiment of experiment.yml, with its training runs on the cluster.

    The image is built from the Dockerfile, or run.yml names one that exists; nothing is built or pushed if nothing has changed. The same command
    again goes on where it stopped and adopts what still runs.
    """
    asked = Asked(**options)
    place = place_of(cluster_name, dockerfile, asked.run_file, asked.experiment_file, command, build=not no_build)
    with drawn():
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


@dataclass(frozen=True)
class ClusterPlace:
    """A cluster, and how its image is made. `leave_out` are files of this folder that say how, not what, and stay out of the image."""

    cluster: "Cluster"
    run: "RunSpec"
    choice: "ImageChoice"
    dockerfile: str | None
    leave_out: tuple[str, ...]

    def prepared(self) -> "OnCluster":
        """The flow's parameter, once the session is up: Prefect knows the cluster."""
        from flows.cluster import OnCluster
        from flows.image import ImageSource

        block = asyncio.run(_known(self.cluster))
        if not self.choice.builds:
            say(f"image: {self.choice.image}, used as it is: {self.choice.why}")
            return OnCluster(name=block, no_build=True)
        name = self.choice.name or "of this folder"
        say(f"image: {name}, built and pushed to {self.cluster.registry or 'Docker Hub'}: {self.choice.why}")
        return OnCluster(name=block, build=ImageSource(directory=os.getcwd(), dockerfile=self.dockerfile, leave_out=list(self.leave_out)))


def place_of(
    cluster_name: str | None, dockerfile: str | None, run_file: str, experiment_file: str | None, command: tuple[str, ...], *, build: bool = True
) -> ClusterPlace:
    """The cluster and what runs there, from the files of this folder. Raises `InvalidInput` before anything is started."""
    from tasks.images.choice import choose_image
    from trialflow.cli.options import read_run

    cluster = the_cluster(cluster_name)
    run = read_run(run_file, command, directory=Path.cwd(), needs_command=False)
    if dockerfile and not Path(dockerfile).is_file():
        raise InvalidInput(f"there is no {dockerfile} here", hint="`-d` names the Dockerfile of the image")
    found = dockerfile or ("Dockerfile" if Path("Dockerfile").is_file() else None)
    choice = choose_image(run.image, registry=cluster.registry, dockerfile=found, build=build)
    files = [file for file in (run_file, experiment_file) if file and Path(file).exists()]
    return ClusterPlace(cluster, run, choice, dockerfile, tuple(files))


def drawn() -> "AbstractContextManager[Any]":
    """Draws the image's making while it is made."""
    from trialflow.cli.terminal.image_progress import image_shown

    return image_shown()


async def _known(cluster: "Cluster") -> str:
    """Have Prefect keep the cluster as it is known here. Returns the block's name."""
    from tasks.kubernetes.cluster.saved import block_name, cluster_of_block, save_block

    try:
        kept = await cluster_of_block(cluster.name)
    except InvalidInput:
        kept = None
    if kept != cluster:
        await save_block(cluster)
    return block_name(cluster.name)
