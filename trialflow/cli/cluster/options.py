"""The option that names a cluster, and the cluster that is meant."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster

cluster_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-n", "--cluster-name", metavar="NAME", help="The cluster; by default the current one, which `cluster connect` sets."
)


def the_cluster(name: str | None) -> "Cluster":
    """The cluster of that name, the current one if None. Raises `InvalidInput` if there is none."""
    from tasks.kubernetes.cluster.saved import Clusters

    return Clusters(Home.from_environment()).load(name)
