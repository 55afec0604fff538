"""`trialflow cluster install-plugins`."""

import asyncio

import click

from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.cli.terminal.messages import hint, say, warn


@click.command()
@cluster_option
def install_plugins(cluster_name: str | None) -> None:
    """Set up what trialflow needs on a cluster: namespace, service accounts, rights. What is there stays, what differs is put right."""
    asyncio.run(_install(cluster_name))


async def _install(cluster_name: str | None) -> None:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.client.errors import ClusterRefused
    from tasks.kubernetes.cluster.access import missing_rights
    from tasks.kubernetes.cluster.checks import nodes
    from tasks.kubernetes.cluster.installation import install, refuse_without

    cluster = the_cluster(cluster_name)
    async with open_cluster(cluster) as connection:
        installed = await install(connection)
        for one in installed:
            (say if one.outcome != "not allowed" else warn)(str(one))
        refuse_without(await missing_rights(connection), installed, cluster.namespace)
        try:
            found = await nodes(connection)
        except ClusterRefused as error:
            warn(f"whether there are GPUs is not known: {error.message}")
            return
    if found.gpus:
        say(f"GPUs: {found.gpus} on {found.gpu_nodes} nodes")
    else:
        say("GPUs: none offered by any node")
        hint("nodes with NVIDIA GPUs need the driver and NVIDIA's device plugin: https://github.com/NVIDIA/k8s-device-plugin")
