"""Whether a cluster is fit to work on: its API server and its namespace, asked once each."""

import time
from collections.abc import Callable

from kubernetes_asyncio.client import VersionApi

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Missing, explained
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.cluster.access import own_rules


async def api_server(connection: Connection, *, clock: Callable[[], float] = time.monotonic) -> tuple[str, float]:
    """The version of Kubernetes, and the seconds that a second request takes, over a connection that is open already."""
    # Anybody may ask for the version: without this an unknown token would pass.
    await own_rules(connection, what="reach the cluster")
    async with explained("reach the cluster", server=connection.server):
        begun = clock()
        version = (await VersionApi(connection.api).get_code()).git_version
    return str(version).removeprefix("v"), clock() - begun


async def has_namespace(connection: Connection) -> bool:
    """Whether the namespace is there, as far as we may know: who may not read it is told by what is made in it."""
    try:
        await ask(connection, "GET", f"/api/v1/namespaces/{connection.namespace}", what=f"read Namespace {connection.namespace}")
    except Missing:
        return False
    except ClusterRefused as error:
        if error.status != 403:
            raise
    return True
