"""`trialflow cluster install-plugins`."""

import asyncio
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.connect import tell_installed
from trialflow.cli.cluster.options import cluster_option, the_cluster, yes_option
from trialflow.cli.terminal.messages import hint, say, warn
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster


@click.command()
@cluster_option
@click.option("--gpu", is_flag=True, help="Also NVIDIA's device plugin, which offers the GPUs of nodes to pods.")
@click.option("--server", is_flag=True, help="Also trialflow's server: experiments go on when this machine is gone.")
@click.option("--server-image", metavar="REF", help="An image of trialflow that exists; by default it is built here and pushed.")
@click.option("--server-storage", metavar="SIZE", help="The server's volume: a size (10Gi), claim/NAME for a claim that exists, or none.")
@click.option("--server-api-address", metavar="HOST:PORT", help="Where the server's pod reaches the API server, if not at its usual address.")
@click.option("--server-database", metavar="SECRET", help="A Secret whose key url is the address of a PostgreSQL database, or none for SQLite.")
@yes_option
def install_plugins(
    cluster_name: str | None,
    gpu: bool,
    server: bool,
    server_image: str | None,
    server_storage: str | None,
    server_api_address: str | None,
    server_database: str | None,
    yes: bool,
) -> int:
    """Set up what trialflow needs on a cluster: namespace, service accounts, rights. What is there stays, what differs is put right.

    With --server also a server of trialflow's own: Prefect's server, the service and a worker, in one pod that goes on where it was when it is
    replaced. `trialflow cluster optimize` then leaves experiments to it.
    """
    from trialflow.cli.cluster.server import ServerAsked, install

    asked = ServerAsked(server_image, server_storage, server_api_address, server_database)
    if not server and asked != ServerAsked():
        raise InvalidInput("options of the server were given without --server", hint="add --server")
    cluster = the_cluster(cluster_name)
    asyncio.run(_install(cluster, gpu))
    return install(cluster, asked, yes=yes) if server else 0


async def _install(cluster: "Cluster", gpu: bool) -> None:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.operations.plugins import apply_plugins, plan_plugins

    async with open_cluster(cluster) as connection:
        plan = await plan_plugins(connection, gpu=gpu)
        for one in await apply_plugins(plan, connection):
            tell_installed(one)
    if plan.note:
        warn(plan.note)
    if plan.gpus is None:
        return
    say(f"GPUs: {plan.gpus}")
    if gpu and plan.gpus.is_offered:
        say("a device plugin is at work already: none was installed")
    elif not gpu and not plan.gpus.is_offered:
        hint("nodes with NVIDIA GPUs and their driver need NVIDIA's device plugin: `trialflow cluster install-plugins --gpu`")
