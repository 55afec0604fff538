"""`trialflow cluster disconnect`."""

import asyncio

import click

from trialflow.cli.terminal.messages import say
from trialflow.errors import InvalidInput
from trialflow.home import Home


@click.command()
@click.argument("name", required=False)
@click.option("-n", "--cluster-name", metavar="NAME", help="The cluster, as SigOpt has it.")
def disconnect(name: str | None, cluster_name: str | None) -> None:
    """Forget a cluster: by default the current one. Nothing on the cluster is touched, training runs go on."""
    from tasks.kubernetes.cluster.saved import Clusters, delete_block
    from trialflow.cli.session import flow_session

    if name and cluster_name and name != cluster_name:
        raise InvalidInput(f"two clusters are named, {name} and {cluster_name}", hint="name one")
    clusters = Clusters(Home.from_environment())
    known = clusters.require(name or cluster_name)
    with flow_session():
        asyncio.run(delete_block(known))
        clusters.delete(known)
    say(f"forgot cluster {known}; nothing on it was touched")
    if left := clusters.current():
        say(f"the current cluster is {left}")
