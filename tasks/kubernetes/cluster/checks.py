"""Whether a cluster is fit to work on: its API server, nodes and registry, asked once each."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from kubernetes_asyncio.client import CoreV1Api, VersionApi

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Missing, explained
from trialflow.errors import TrialflowError

GPU = "nvidia.com/gpu"
REGISTRY_SECONDS = 5.0
LOOPBACK = ("127.", "localhost", "[::1]")


@dataclass(frozen=True)
class NodeSummary:
    """How many nodes there are, how many are ready, and the GPUs that they offer."""

    total: int
    ready: int
    gpus: int
    gpu_nodes: int


async def api_server(connection: Connection, *, clock: Callable[[], float] = time.monotonic) -> tuple[str, float]:
    """The version of Kubernetes, and the seconds that a second request takes, over a connection that is open already."""
    api = VersionApi(connection.api)
    async with explained("reach the cluster", server=connection.server):
        # Anybody may ask for the version: without this an unknown token would pass.
        await _who(connection)
        begun = clock()
        version = (await api.get_code()).git_version
    return str(version).removeprefix("v"), clock() - begun


async def _who(connection: Connection) -> None:
    await connection.api.call_api(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "POST",
        header_params={"Accept": "application/json", "Content-Type": "application/json"},
        body={"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": connection.namespace}},
        auth_settings=["BearerToken"],
        response_types_map={201: "object"},
        _return_http_data_only=True,
    )


async def nodes(connection: Connection) -> NodeSummary:
    """Count the nodes. Raises `ClusterRefused` without the right to list them."""
    async with explained("list the nodes", server=connection.server):
        listed = (await CoreV1Api(connection.api).list_node()).items
    ready = [one for one in listed if any(condition.type == "Ready" and condition.status == "True" for condition in one.status.conditions or [])]
    gpus = [int((one.status.allocatable or {}).get(GPU, 0)) for one in listed]
    return NodeSummary(len(listed), len(ready), sum(gpus), sum(count > 0 for count in gpus))


async def has_namespace(connection: Connection) -> bool:
    """Whether the namespace is there, as far as we may know: who may not read it is told by what is made in it."""
    try:
        async with explained(f"read Namespace {connection.namespace}", server=connection.server):
            await CoreV1Api(connection.api).read_namespace(connection.namespace)
    except Missing:
        return False
    except ClusterRefused as error:
        if error.status != 403:
            raise
    return True


async def registry_answers(registry: str) -> str:
    """Ask a registry, from here, whether it is one; returns its address. Loopback ones are asked without TLS first, as Docker does.

    Raises `TrialflowError`. A registry that wants a login answers as well.
    """
    host = registry.split("/")[0]
    if "." not in host and ":" not in host and host != "localhost" or host == "docker.io":
        host = "registry-1.docker.io"
    schemes = ("http", "https") if host.startswith(LOOPBACK) else ("https",)
    told = ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REGISTRY_SECONDS), trust_env=True) as session:
        for scheme in schemes:
            try:
                async with session.get(f"{scheme}://{host}/v2/") as answer:
                    if answer.status in (200, 401):
                        return f"{scheme}://{host}"
                    told = told or f"it answered {answer.status}, as no registry does"
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                told = told or (str(error) or "no answer in time")
    raise TrialflowError(f"the registry {host} cannot be used from here: {told}", hint="is it up, and is this its address?")
