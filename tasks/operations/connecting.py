"""Connect a cluster and disconnect it: what trialflow needs is made on it, and it is kept for commands and for flows."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.kubernetes.client.cluster import DEFAULT_NAMESPACE, Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig, own_namespace
from tasks.kubernetes.cluster.access import Right, missing_rights
from tasks.kubernetes.cluster.checks import api_server
from tasks.kubernetes.cluster.installation import Installed, PlannedObject, install, plan_installation, refuse_without
from tasks.kubernetes.cluster.saved import Clusters, delete_block, save_block
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.aws.session import Keys


@dataclass(frozen=True)
class ConnectRequest:
    """What a user says of a cluster, by options or in a cluster.yml. None is for what is to be found out.

    `region` and `keys` are for clusters on AWS: without keys AWS's usual chain finds them.
    """

    cluster_name: str | None = None
    provider: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    registry: str | None = None
    namespace: str | None = None
    api_url: str | None = None
    prices: Mapping[str, float] | None = None
    region: str | None = None
    keys: "Keys | None" = field(default=None, repr=False)


@dataclass(frozen=True)
class ConnectPlan:
    """A cluster that answers, and what would be made on it: nothing if it is only to be kept."""

    cluster: Cluster = field(repr=False)
    version: str
    server: str
    objects: tuple[PlannedObject, ...]


@dataclass(frozen=True)
class Connected:
    """What became of it: what was made, and which rights are missing that training runs can do without."""

    cluster: Cluster = field(repr=False)
    installed: tuple[Installed, ...]
    missing: tuple[Right, ...]


@dataclass(frozen=True)
class DisconnectPlan:
    """The cluster that would be forgotten, and the one that would then be the current one."""

    name: str
    next: str | None


async def describe_cluster(request: ConnectRequest, *, environ: Mapping[str, str]) -> Cluster:
    """The cluster that is meant, with its kubeconfig read into it, or what AWS says of it. Raises `InvalidInput`, and the errors of `tasks.aws`."""
    if request.provider == "local":
        raise InvalidInput("the provider is local: this machine needs no connection", hint="`trialflow optimize` works on it")
    if not request.cluster_name:
        raise InvalidInput("the cluster needs a name", hint="give it with `--cluster-name`, or a cluster.yml with `-f`")
    if request.provider == "aws":
        return await _describe_eks(request, request.cluster_name)
    document, context = load_kubeconfig(request.kubeconfig, request.context, environ=environ)
    return Cluster(
        name=request.cluster_name,
        provider="custom",
        namespace=request.namespace or (None if document else own_namespace()) or DEFAULT_NAMESPACE,
        kubeconfig=document,
        context=context,
        registry=request.registry.rstrip("/") if request.registry else None,
        api_url=request.api_url,
        prices=dict(request.prices or {}),
    )


async def _describe_eks(request: ConnectRequest, name: str) -> Cluster:
    """A cluster of EKS, whoever made it. That it lets us in is asked here, where it is known who we are to AWS."""
    from tasks.aws.session import Aws
    from tasks.aws.setting_up import check, connection_facts

    if unwanted := [f"--{one}" for one in ("kubeconfig", "context") if getattr(request, one)]:
        raise InvalidInput(f"{' and '.join(unwanted)} cannot be used with provider aws: EKS tells where the cluster is", hint="leave it out")
    aws = Aws(request.keys, region=request.region)
    facts: dict[str, Any] = {"namespace": request.namespace, "registry": request.registry, "api_url": request.api_url}
    cluster = await asyncio.to_thread(connection_facts, aws, name, **facts)
    await check(cluster, aws.principal)
    return cluster


async def plan_connect(cluster: Cluster, home: Home, *, install_too: bool = True) -> ConnectPlan:
    """Ask whether the cluster answers, and what is missing on it. Raises `ClusterError`, `InvalidInput` if it cannot be kept under its name."""
    Clusters(home).check_name(cluster.name)
    async with open_cluster(cluster) as connection:
        version, _ = await api_server(connection)
        objects = await plan_installation(connection) if install_too else []
        return ConnectPlan(cluster, version, connection.server, tuple(objects))


async def apply_connect(plan: ConnectPlan, *, on_installed: Callable[[Installed], None] = lambda one: None) -> Connected:
    """Make what is missing, and tell of each thing. The cluster is not kept yet.

    Raises `ClusterRefused` if training runs could not do with what there is then.
    """
    async with open_cluster(plan.cluster) as connection:
        installed = await install(connection) if plan.objects else []
        for one in installed:
            on_installed(one)
        missing = await missing_rights(connection)
        refuse_without(missing, installed, plan.cluster.namespace)
    return Connected(plan.cluster, tuple(installed), tuple(missing))


async def keep_cluster(cluster: Cluster, home: Home) -> None:
    """Keep it, and make it the current one. Prefect's block comes first: if that fails nothing is kept, and the file is written in one step."""
    clusters = Clusters(home)
    clusters.check_new(cluster.name)
    await save_block(cluster)
    clusters.save(cluster)


def plan_disconnect(home: Home, name: str | None) -> DisconnectPlan:
    """The cluster that would be forgotten: the current one if None. Raises `InvalidInput` if there is none."""
    clusters = Clusters(home)
    known = clusters.require(name)
    left = [one for one in clusters.names() if one != known]
    current = clusters.current()
    return DisconnectPlan(known, current if current in left else None)


async def apply_disconnect(plan: DisconnectPlan, home: Home) -> None:
    """Forget it, in Prefect and here. Nothing on the cluster is touched."""
    await delete_block(plan.name)
    Clusters(home).delete(plan.name)
