"""Commands for trialflow's server on a cluster: they reach it through the Kubernetes API, and then work as with any other server."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.terminal.messages import say, warn
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster

here_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--here", is_flag=True, help="Use the service on this machine, even if the cluster has a server."
)


@dataclass(frozen=True)
class Reached:
    """The server of a cluster, as it is reached from this machine while a command runs."""

    cluster: "Cluster"
    prefect_url: str
    ui_url: str
    service_url: str
    variables: Mapping[str, str]


@contextmanager
def server_if_any(cluster: "Cluster", *, here: bool = False, looks: bool = False) -> "Iterator[Reached | None]":
    """The server of the cluster, if it has one that we may use: then this process is pointed at it. `here` leaves everything as it is.

    A cluster that had none when it was connected is asked only if the command `looks` for one.
    """
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.api.session import names_a_service

    known = Clusters(Home.from_environment()).has_server(cluster.name)
    if here or names_a_service() or not (known or looks) or not note_server(cluster):
        yield None
        return
    with server_of(cluster) as reached:
        yield reached


@contextmanager
def server_meant(cluster_name: str | None, here: bool) -> Iterator[bool]:
    """Point this process at the server of a cluster, if that is meant: the one that is named, or the current one if nothing is up here.

    Yields whether it is. Raises `InvalidInput` if the cluster that is named has no server.
    """
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.cli.triggering import standing_here
    from trialflow.prefect_api import prefect_api_url

    clusters = Clusters(Home.from_environment())
    if cluster_name:
        with server_of(clusters.load(cluster_name)):
            yield True
        return
    current = clusters.current()
    if current is None or prefect_api_url() or standing_here():
        yield False
        return
    with server_if_any(clusters.load(current), here=here) as reached:
        if reached:
            say(f"on the server of cluster {current}")
        yield reached is not None


@contextmanager
def server_of(cluster: "Cluster", *, ports: Mapping[int, int] | None = None) -> "Iterator[Reached]":
    """The server of the cluster, with this process pointed at it until the end. Raises `InvalidInput` if the cluster has none.

    It has to be entered before Prefect is imported. `ports` are those here (see `Tunnel`), by default any that are free.
    """
    from tasks.kubernetes.client.tunnel import Tunnel
    from tasks.kubernetes.server.manifests import POD, PREFECT_PORT, SERVICE_PORT
    from trialflow.api.session import prefect_variables, set_variables
    from trialflow.prefect_api import ui_of

    token, prefect_token = asyncio.run(_tokens(cluster))
    with Tunnel(cluster, POD, ports or {PREFECT_PORT: 0, SERVICE_PORT: 0}) as found:
        prefect, service = (f"http://127.0.0.1:{found[port]}" for port in (PREFECT_PORT, SERVICE_PORT))
        home = Home.from_environment()
        variables = {
            **prefect_variables(home, f"{prefect}/api", f"trialflow:{prefect_token}"),
            "SIGOPT_API_URL": service,
            "SIGOPT_API_TOKEN": token,
        }
        with set_variables(variables):
            yield Reached(cluster, f"{prefect}/api", ui_of(prefect), service, variables)


def note_server(cluster: "Cluster") -> bool:
    """Find out whether the cluster has a server that we may use, and write it down. Raises `ClusterError`."""
    from tasks.kubernetes.cluster.saved import Clusters

    found = asyncio.run(_has_server(cluster))
    Clusters(Home.from_environment()).note_server(cluster.name, found)
    return found


async def _has_server(cluster: "Cluster") -> bool:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.client.errors import ClusterRefused
    from tasks.kubernetes.server.installing import find_own

    async with open_cluster(cluster) as connection:
        try:
            return await find_own(connection, "Secret") is not None
        except ClusterRefused as error:
            if error.status is None:  # somebody else's Secret has that name
                warn(error.message)
            return False  # who may not read its Secret may not use it


async def _tokens(cluster: "Cluster") -> tuple[str, str]:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.operations.server import require_server, until_ready

    async with open_cluster(cluster) as connection:
        tokens = await require_server(connection)
        await until_ready(connection, tell=say)
        return tokens
