"""Where `cluster run` and `cluster optimize` execute: a cluster that is known here, made known to Prefect, and how the image is made."""

import asyncio
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.cluster.options import the_cluster
from trialflow.cli.terminal.messages import say
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from flows.cluster import OnCluster
    from tasks.kubernetes.client.cluster import Cluster
    from trialflow.specs import RunSpec

dockerfile_option = click.option("-d", "--dockerfile", metavar="FILE", help="The Dockerfile of the image; by default `Dockerfile`.")


@dataclass(frozen=True)
class Place:
    """A cluster and the image's Dockerfile. `leave_out` are files of this folder that say how, not what, and stay out of the image."""

    cluster: "Cluster"
    run: "RunSpec"
    keys: dict[str, str]
    dockerfile: str | None
    leave_out: tuple[str, ...]

    def prepared(self) -> "OnCluster":
        """The flow's parameter, once the session is up: Prefect knows the cluster, and the keys are where a flow of this process finds them."""
        from flows.cluster import OnCluster
        from flows.image import ImageSource
        from tasks.compute import model_keys

        block = asyncio.run(_known(self.cluster))
        model_keys.set(self.keys)
        build = None
        if self.run.image is None:
            build = ImageSource(directory=os.getcwd(), dockerfile=self.dockerfile, leave_out=list(self.leave_out))
            say(f"image: from {self.dockerfile or 'Dockerfile'}, to {self.cluster.registry or 'Docker Hub'}")
        return OnCluster(name=block, build=build)


def place_of(cluster_name: str | None, dockerfile: str | None, run_file: str, experiment_file: str | None, command: tuple[str, ...]) -> Place:
    """The cluster and what runs there, from the files of this folder. Raises `InvalidInput` before anything is started."""
    from trialflow.cli.options import read_run
    from trialflow.specs import load_run

    cluster = the_cluster(cluster_name)
    run = read_run(run_file, command, directory=Path.cwd(), needs_command=False)
    keys = {}
    if Path(run_file).exists() and (aws := load_run(run_file).aws):
        keys = aws.variables()
    if run.image is None and not Path(dockerfile or "Dockerfile").is_file():
        raise InvalidInput(
            f"there is no image to run: run.yml names none, and there is no {dockerfile or 'Dockerfile'} here",
            hint="write a Dockerfile (`trialflow init` has one to start from), or name an image as `image:` in run.yml",
        )
    files = [file for file in (run_file, experiment_file) if file and Path(file).exists()]
    return Place(cluster, run, keys, dockerfile, tuple(files))


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
