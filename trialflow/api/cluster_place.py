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
    from flows.on_cluster import KnownImage, OnCluster
    from tasks.images.facts import ImageFacts
    from tasks.images.login import Login


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
        """`on_cluster`, for those who await nothing."""
        return asyncio.run(self.on_cluster())

    async def on_cluster(self) -> "OnCluster":
        """The parameter of a flow on this machine, once the session is up: Prefect knows the cluster. The flow makes the image."""
        from flows.on_cluster import ImageSource, OnCluster

        block = await known_block(self.cluster)
        if not self.choice.builds:
            self.say(f"image: {self.choice.image}, used as it is: {self.choice.why}")
            return OnCluster(name=block, no_build=True)
        name = self.choice.name or "of this folder"
        self.say(f"image: {name}, built and pushed to {self.cluster.registry or 'Docker Hub'}: {self.choice.why}")
        return OnCluster(name=block, build=ImageSource(directory=os.getcwd(), dockerfile=self.dockerfile, leave_out=list(self.leave_out)))

    async def known_image(self, warn: Callable[[str], None]) -> "KnownImage":
        """The image by its digest, for a flow on another machine. It is built and pushed now, if need be. `warn` is told if it was not looked up."""
        from flows.on_cluster import KnownImage
        from tasks.images.building import BuildRequest, build_and_push
        from tasks.images.repository import image_name, repository_in
        from tasks.operations.registries import login_of

        choice, directory = self.choice, Path.cwd()
        self.say(f"image: {choice.image or choice.name or 'of this folder'}: {choice.why}")
        reference, login = choice.image, None
        if reference is None:
            repository = repository_in(choice.name or image_name(directory.name), self.cluster.registry)
            login = await login_of(self.cluster, repository)
            leave_out = tuple(directory / path for path in self.leave_out)
            request = BuildRequest(directory, repository, dockerfile=self.dockerfile, leave_out=leave_out, tag=choice.tag)
            reference = await build_and_push(request, login=login)
        elif self.cluster.provider == "aws":
            login = await login_of(self.cluster)
        return KnownImage.of(await _looked_up(reference, login, warn))


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


async def _looked_up(reference: str, login: "Login | None", warn: Callable[[str], None]) -> "ImageFacts":
    """What the registry knows of it. One that is named by its digest can be used without: nodes may be let in where we are not."""
    from tasks.images.errors import RegistryRefused, RegistryUnavailable
    from tasks.images.facts import ImageFacts
    from tasks.images.references import parse
    from tasks.images.registry import look_up

    try:
        return await look_up(reference, login=login)
    except (RegistryUnavailable, RegistryRefused) as error:
        if not parse(reference).digest:
            raise
        warn(f"the image was not looked up: {error.message}")
        return ImageFacts(reference, entrypoint=None)
