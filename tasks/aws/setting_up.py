"""A cluster of AWS as a Kubernetes cluster: how it is reached, what is installed on it, what has to go before its machines do."""

from collections.abc import Mapping
from typing import Any

from tasks.aws.control_plane import read_cluster
from tasks.aws.design import Design
from tasks.aws.errors import AwsMissing, AwsRefused
from tasks.aws.manifests import NAME, SYSTEM, manifests
from tasks.aws.names import TAG
from tasks.aws.node_groups import read_node_prices
from tasks.aws.repositories import own_registry
from tasks.aws.session import Aws
from tasks.kubernetes.client.cluster import DEFAULT_NAMESPACE, Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.eks_token import EksSignIn
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.requests import ask, listed
from tasks.kubernetes.cluster.checks import api_server
from tasks.kubernetes.cluster.gpus import PLUGIN
from tasks.kubernetes.cluster.installation import install

PATHS = {
    "ServiceAccount": f"/api/v1/namespaces/{SYSTEM}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/rolebindings",
    "Deployment": f"/apis/apps/v1/namespaces/{SYSTEM}/deployments",
    "DaemonSet": f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets",
}


def connection_facts(aws: Aws, name: str, *, namespace: str | None = None, registry: str | None = None, api_url: str | None = None) -> Cluster:
    """The cluster as the rest of trialflow knows it; without a `registry` images go to ECR.

    Raises `AwsMissing` if there is none of that name, `AwsRefused` if it is not ready.
    """
    found = read_cluster(aws, name)
    if found is None:
        raise AwsMissing(f"there is no cluster {name} in {aws.region} of account {aws.account}", hint="check the name, `--region` and AWS_PROFILE")
    if not found.get("endpoint") or not (found.get("certificateAuthority") or {}).get("data"):
        raise AwsRefused(f"cluster {name} is {found['status'].lower()} and has no address yet", hint="try again when it is active")
    return Cluster(
        name=name,
        provider="aws",
        namespace=namespace or DEFAULT_NAMESPACE,
        kubeconfig=kubeconfig(found, EksSignIn(name, aws.region, aws.keys.environment())),
        context=f"{name}.{aws.region}",
        registry=registry.rstrip("/") if registry else own_registry(aws, name),
        api_url=api_url,
        prices=_node_prices(aws, name) if (found.get("tags") or {}).get(TAG) == name else {},
    )


def _node_prices(aws: Aws, name: str) -> dict[str, float]:
    """The prices of the cluster's nodes; none for a guest who may not look at them."""
    try:
        return read_node_prices(aws, name)
    except AwsRefused:
        return {}


def kubeconfig(found: Mapping[str, Any], sign_in: EksSignIn) -> dict[str, Any]:
    """A kubeconfig that holds no token: we sign one when it is needed, and kubectl has `trialflow cluster token` do it.

    Keys that were given for this cluster are in it, so it is kept as private as a kubeconfig with a certificate.
    """
    context = f"{sign_in.cluster}.{sign_in.region}"
    authority = found["certificateAuthority"]["data"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "clusters": [{"name": context, "cluster": {"server": found["endpoint"], "certificate-authority-data": authority}}],
        "users": [{"name": context, "user": {"exec": sign_in.exec_entry()}}],
    }


async def set_up(cluster: Cluster, design: Design) -> list[str]:
    """Install what trialflow needs, the autoscaler and, for GPUs, the device plugin. Returns what became of each, for people."""
    has_gpus = any(one.accelerator for one in design.groups)
    async with open_cluster(cluster) as connection:
        told = [str(one) for one in await install(connection)]
        for manifest in manifests(design.name, design.region, design.version, has_gpus=has_gpus):
            told.append(f"{manifest['kind']} {manifest['metadata']['name']}: {await apply(connection, manifest)}")
    return told


async def apply(connection: Connection, manifest: Mapping[str, Any], *, dry: bool = False) -> str:
    """Have one object there as the manifest says; with `dry` the API server only checks it."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    query = {"dryRun": "All"} if dry else None
    try:
        await ask(connection, "GET", f"{PATHS[kind]}/{name}", what=f"read {kind} {name}")
    except Missing:
        try:
            await ask(connection, "POST", PATHS[kind], what=f"create {kind} {name}", query=query, body=dict(manifest))
        except Exists:
            return "was there"  # another was quicker, with the same
        return "made"
    await ask(connection, "PATCH", f"{PATHS[kind]}/{name}", what=f"change {kind} {name}", query=query, body=dict(manifest))
    return "was there"


async def clear(cluster: Cluster) -> None:
    """Delete what would outlive the machines or start new ones: the autoscaler first, then services with load balancers of AWS."""
    async with open_cluster(cluster) as connection:
        for kind, name in (("Deployment", NAME), ("DaemonSet", PLUGIN)):
            await _delete(connection, f"{PATHS[kind]}/{name}", f"{kind} {name}")
        for one in await listed(connection, "/api/v1/services", what="list the services"):
            if one.get("spec", {}).get("type") == "LoadBalancer":
                metadata = one["metadata"]
                path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
                await _delete(connection, path, f"Service {metadata['name']}")


async def check(cluster: Cluster, principal: str) -> str:
    """The version that the API server answers with. Raises `ClusterRefused` with what the cluster's owner has to do, if it does not know us."""
    try:
        async with open_cluster(cluster) as connection:
            return (await api_server(connection))[0]
    except ClusterRefused as error:
        if error.status != 401:
            raise
        raise ClusterRefused(
            f"cluster {cluster.name} does not know {principal}",
            hint=f"ask its owner for `trialflow cluster share --cluster-name {cluster.name} --principal {principal}`",
            status=401,
        ) from error


async def _delete(connection: Connection, path: str, what: str) -> None:
    try:
        await ask(connection, "DELETE", path, what=f"delete {what}")
    except Missing:
        return
