"""Find out whether a cluster is fit to work on. It changes nothing: there is no plan, only what was found."""

import asyncio
from collections.abc import Awaitable

from tasks.images.registry import check_registry
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.cluster.access import RIGHTS, missing_rights
from tasks.kubernetes.cluster.checks import api_server, has_namespace
from tasks.kubernetes.cluster.gpus import gpu_support
from tasks.kubernetes.cluster.installation import has_model_account
from tasks.kubernetes.cluster.nodes import list_nodes
from trialflow.errors import TrialflowError
from trialflow.results.checks import Check

INSTALL = "`trialflow cluster install-plugins`"


async def check_cluster(cluster: Cluster) -> list[Check]:
    """Look at the API server, nodes, namespace, rights, accounts and the registry, all at once, each with its fix if something is wrong."""
    registry = asyncio.ensure_future(_told("registry", _registry(cluster)))
    try:
        async with open_cluster(cluster) as connection:
            first = await _told("API server", _server(connection))
            found = [first]
            if first.state == "ok":
                checks = [
                    _told("nodes", _nodes(connection), is_needed=False),
                    _told("namespace", _namespace(connection)),
                    _told("rights", _rights(connection)),
                    _told("accounts", _account(connection)),
                ]
                found += await asyncio.gather(*checks)
    except TrialflowError as error:
        found = [Check("API server", "fail", error.message, error.hint)]
    return [*found, await registry]


async def _told(what: str, check: Awaitable[Check], *, is_needed: bool = True) -> Check:
    try:
        return await check
    except TrialflowError as error:
        return Check(what, "fail" if is_needed else "warn", error.message, error.hint)


async def _server(connection: Connection) -> Check:
    version, seconds = await api_server(connection)
    return Check("API server", "ok", f"Kubernetes {version} at {connection.server}, answers in {seconds * 1000:.0f} ms")


async def _nodes(connection: Connection) -> Check:
    nodes = await list_nodes(connection)
    support = gpu_support(nodes)
    ready = sum(node.ready for node in nodes)
    text = f"{ready} of {len(nodes)} ready" + (f", {support.count} GPUs" if support.count else "")
    if ready == 0:
        return Check("nodes", "warn", text, "training runs wait until there is one; that is as it should be if an autoscaler starts them")
    if support.idle:
        return Check("nodes", "warn", f"{text}; {support}", "`trialflow cluster install-plugins --gpu`")
    return Check("nodes", "ok", text) if ready == len(nodes) else Check("nodes", "warn", text, "`kubectl get nodes`")


async def _namespace(connection: Connection) -> Check:
    if await has_namespace(connection):
        return Check("namespace", "ok", connection.namespace)
    return Check("namespace", "fail", f"{connection.namespace} does not exist", INSTALL)


async def _rights(connection: Connection) -> Check:
    missing = await missing_rights(connection)
    told = ", ".join(map(str, missing))
    if any(right.is_needed for right in missing):
        return Check("rights", "fail", f"missing: {told}", "`trialflow cluster connect` prints the Role to ask an administrator for")
    if missing:
        return Check("rights", "warn", f"missing: {told}", "training runs work; less can be told about what is pending or lost")
    return Check("rights", "ok", f"all {len(RIGHTS)}")


async def _account(connection: Connection) -> Check:
    if await has_model_account(connection):
        return Check("accounts", "ok", "training runs have a service account without rights")
    return Check("accounts", "fail", "the service account of training runs is missing", INSTALL)


async def _registry(cluster: Cluster) -> Check:
    if cluster.registry is None:
        fix = f"`trialflow cluster connect -n {cluster.name} --registry HOST[:PORT][/PATH]`, unless your images are built elsewhere"
        return Check("registry", "warn", "none", fix)
    return Check("registry", "ok", f"{await check_registry(cluster.registry)} answers from here")
