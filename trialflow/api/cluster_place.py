"""A cluster as the place for training runs: what is known of it here, and how its image is made."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.images.choice import ImageChoice, choose_image
from tasks.kubernetes.client.cluster import Cluster
from trialflow.errors import InvalidInput
from trialflow.specs import RunSpec

if TYPE_CHECKING:
    from flows.on_cluster import OnCluster


@dataclass(frozen=True)
class ClusterPlace:
    """A cluster, and how its image is made. `leave_out` are files of this folder that say how, not what, and stay out of the image.

    `say` is told which image it is and why.
    """

    cluster: Cluster
    run: RunSpec
    choice: ImageChoice
    dockerfile: str | None
    leave_out: tuple[str, ...]
    say: Callable[[str], None]

    def prepared(self) -> "OnCluster":
        """The flow's parameter, once the session is up: Prefect knows the cluster."""
        from flows.on_cluster import ImageSource, OnCluster

        block = asyncio.run(known_block(self.cluster))
        if not self.choice.builds:
            self.say(f"image: {self.choice.image}, used as it is: {self.choice.why}")
            return OnCluster(name=block, no_build=True)
        name = self.choice.name or "of this folder"
        self.say(f"image: {name}, built and pushed to {self.cluster.registry or 'Docker Hub'}: {self.choice.why}")
        return OnCluster(name=block, build=ImageSource(directory=os.getcwd(), dockerfile=self.dockerfile, leave_out=list(self.leave_out)))


def place_on(
    cluster: Cluster, run: RunSpec, dockerfile: str | None, *, leave_out: Sequence[str], build: bool, say: Callable[[str], None]
) -> ClusterPlace:
    """The cluster with the image of the present folder, or of run.yml. Raises `InvalidInput` before anything is started."""
    if dockerfile and not Path(dockerfile).is_file():
        raise InvalidInput(f"there is no {dockerfile} here", hint="`-d` names the Dockerfile of the image")
    found = dockerfile or ("Dockerfile" if Path("Dockerfile").is_file() else None)
    choice = choose_image(run.image, registry=cluster.registry, dockerfile=found, build=build)
    return ClusterPlace(cluster, run, choice, dockerfile, tuple(leave_out), say)


async def known_block(cluster: Cluster) -> str:
    """Have Prefect keep the cluster as it is known here. Returns the block's name."""
    from tasks.kubernetes.cluster.saved import block_name, cluster_of_block, save_block

    try:
        kept = await cluster_of_block(cluster.name)
    except InvalidInput:
        kept = None
    if kept != cluster:
        await save_block(cluster)
    return block_name(cluster.name)
