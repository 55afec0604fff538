"""`trialflow cluster optimize` on a cluster that has a server: the image is made here, all the rest is left to the server."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.cli.letting_go import let_go
from trialflow.cli.optimize import Asked, show_end
from trialflow.cli.options import read_source
from trialflow.cli.prefect_client import explained, open_client
from trialflow.cli.reaching import Reached
from trialflow.cli.terminal.messages import say, warn
from trialflow.cli.tracking import follow_to_the_end
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from flows.on_cluster import OnCluster
    from tasks.images.facts import ImageFacts
    from tasks.images.login import Login
    from trialflow.api.cluster_place import ClusterPlace
    from trialflow.cli.triggering import Order

FOLDER = "/tmp"
"""The folder of the flow in its pod. The model's is in its image."""
LARGEST_SOURCE = 300_000
"""Bytes of a source file that go with a flow run: Prefect's server takes parameters of 512 KiB."""


def leave_to(reached: Reached, asked: Asked, place: "ClusterPlace", command: tuple[str, ...]) -> int:
    """Trigger the deployment on the server, and follow it unless it is to be left alone. Returns the exit code."""
    from tasks.model_secrets import model_secrets
    from tasks.projects import project_id
    from trialflow.api.session import flow_session
    from trialflow.cli.triggering import Order
    from trialflow.specs import load_experiment

    if model_secrets.get():
        hint = "put the keys into a Kubernetes Secret and name it under `secrets:` in run.yml"
        raise InvalidInput("run.yml has AWS keys, which are not given to the cluster's server: it shows the parameters of flow runs", hint=hint)
    experiment = load_experiment(asked.experiment_file)
    project = project_id(asked.project, Path.cwd())
    source = whole_source(asked.source_file)
    with flow_session():
        with explained():
            on = asyncio.run(place_on_server(place))
        options = {**asked.how, "when_finished": "report"}
        order = Order(experiment, place.run, project, Path(FOLDER), source, on, options)
        return asyncio.run(_trigger(reached, order, asked, command))


def whole_source(source_file: str | None) -> dict[str, str] | None:
    """The model's source with its content: the server has no files of this machine. Raises `InvalidInput` if it is too large."""
    from tasks import source

    found = read_source(source_file, Path.cwd())
    if found is None or "file" not in found:
        return found
    whole = source.whole_source(found, Path.cwd())
    if (size := len(whole["content"].encode())) > LARGEST_SOURCE:
        message = f"the source file {source_file} has {size / 1e3:.0f} kB, and at most {LARGEST_SOURCE / 1e3:.0f} kB can be left to a server"
        raise InvalidInput(message, hint="name a smaller file, or leave --source-file out")
    return whole


async def place_on_server(place: "ClusterPlace") -> "OnCluster":
    """The flow's parameter for where training runs execute. The image is built and pushed here if need be, and named by its digest."""
    from flows.on_cluster import KnownImage, OnCluster
    from tasks.images.building import BuildRequest, build_and_push
    from tasks.images.repository import image_name, repository_in
    from tasks.operations.registries import login_of
    from trialflow.api.cluster_place import known_block

    cluster, choice, directory = place.cluster, place.choice, Path.cwd()
    block = await known_block(cluster.from_inside())
    place.say(f"image: {choice.image or choice.name or 'of this folder'}: {choice.why}")
    reference, login = choice.image, None
    if reference is None:
        repository = repository_in(choice.name or image_name(directory.name), cluster.registry)
        login = await login_of(cluster, repository)
        leave_out = tuple(directory / path for path in place.leave_out)
        order = BuildRequest(directory, repository, dockerfile=place.dockerfile, leave_out=leave_out, tag=choice.tag)
        reference = await build_and_push(order, login=login)
    elif cluster.provider == "aws":
        login = await login_of(cluster)
    return OnCluster(name=block, no_build=True, image=KnownImage.of(await _looked_up(reference, login)))


async def _looked_up(reference: str, login: "Login | None") -> "ImageFacts":
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


async def _trigger(reached: Reached, order: "Order", asked: Asked, command: tuple[str, ...]) -> int:
    from trialflow.cli.triggering import trigger

    def ended(facts: dict[str, Any]) -> None:
        show_end(facts, asked, command)

    async with open_client() as client:
        run, is_joined = await trigger(client, order, None, always_new=asked.new, is_here=False)
        say(f"a flow run is at work on it already: {run.name}" if is_joined else f"left to the server of cluster {reached.cluster.name}")
        if asked.detach:
            option = f"-n {reached.cluster.name}"
            follow, also = f"trialflow follow {option}", f"trialflow cluster status {option}"
            return await let_go(client, run, show_end=ended, follow=follow, also=also)
        return await follow_to_the_end(client, run.id, is_joined=is_joined, show_end=ended)
