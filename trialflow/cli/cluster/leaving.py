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
    """The flow's parameter for where training runs execute: the cluster as its server reaches it, and the image by its digest."""
    from flows.on_cluster import OnCluster
    from trialflow.api.cluster_place import known_block

    block = await known_block(place.cluster.from_inside())
    return OnCluster(name=block, no_build=True, image=await place.known_image(warn))


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
