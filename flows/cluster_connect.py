"""The flow `cluster-connect`: make what trialflow needs on a cluster, and keep the cluster for commands and flows."""

import os
import tempfile
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field

from blocks.references import AwsBlock, KubeconfigBlock
from flows.aws_steps import keys_of_block
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.cluster.saved import cluster_of_block
from tasks.operations.connecting import ConnectRequest, apply_connect, describe_cluster, keep_cluster, plan_connect
from tasks.steps import run_logger
from trialflow.errors import InvalidInput
from trialflow.home import Home


class ClusterToConnect(BaseModel):
    """Which cluster, and how it is reached. No secrets: parameters are shown."""

    name: str = Field(title="Name", min_length=1, description="The name it gets. A cluster that is connected under this name is set up again.")
    provider: Literal["custom", "aws"] = Field(
        default="custom", title="Provider", description="`custom` is any cluster with a kubeconfig, `aws` a cluster of EKS."
    )
    kubeconfig_block: KubeconfigBlock | None = Field(
        default=None,
        title="Kubeconfig block",
        description="A Kubernetes Cluster Config block. By default the cluster's trialflow block, else the worker's own kubeconfig.",
    )
    region: str | None = Field(default=None, title="Region", description="The AWS region, for EKS.")
    credentials: AwsBlock | None = Field(default=None, title="AWS credentials", description="An AWS credentials block; else what the worker has.")
    registry: str | None = Field(default=None, title="Registry", description="Where images for it go: host[:port][/path].")
    namespace: str | None = Field(default=None, title="Namespace", description="The namespace of training runs; `orchestrate` by default.")
    api_url: str | None = Field(default=None, title="Service URL", description="A service that pods can reach; without one they need none.")


@flow(name="cluster-connect", flow_run_name="cluster-connect {cluster.name}", persist_result=False)
@errors_as_states
async def cluster_connect(cluster: ClusterToConnect, install: bool = True) -> dict[str, Any]:
    """Connect a cluster and keep it as a block. Returns its name, server, and what was made on it.

    Args:
        cluster: Which cluster, and how it is reached.
        install: Make what is missing on it: a namespace, two service accounts, rights and a network policy.
    """
    home, logger = Home.from_environment(), run_logger()
    described = await _described(cluster)
    plan = await plan_connect(described, home, install_too=install)
    logger.info("Kubernetes %s answers at %s", plan.version, plan.server)
    connected = await apply_connect(plan, on_installed=lambda one: logger.info("%s", one))
    if connected.missing:
        logger.warning("without the right to %s less can be told about what is pending or lost", ", ".join(map(str, connected.missing)))
    await keep_cluster(connected.cluster, home)
    return {"cluster": described.name, "server": plan.server, "installed": [str(one) for one in connected.installed]}


async def _described(wanted: ClusterToConnect) -> Cluster:
    facts: dict[str, Any] = {name: getattr(wanted, name) for name in ("registry", "namespace", "api_url")}
    if wanted.provider == "aws":
        keys = await keys_of_block(wanted.credentials) if wanted.credentials else None
        request = ConnectRequest(wanted.name, "aws", region=wanted.region, keys=keys, **facts)
        return await describe_cluster(request, environ=os.environ)
    if wanted.kubeconfig_block:
        return await _of_prefects_block(wanted, wanted.kubeconfig_block, facts)
    if known := await _known(wanted.name):
        return Cluster.from_json({**known.to_json(), **{name: value for name, value in facts.items() if value}})
    return await describe_cluster(ConnectRequest(wanted.name, "custom", **facts), environ=os.environ)


async def _known(name: str) -> Cluster | None:
    try:
        return await cluster_of_block(name)
    except InvalidInput:
        return None


async def _of_prefects_block(wanted: ClusterToConnect, name: str, facts: dict[str, Any]) -> Cluster:
    """The cluster of a block of prefect-kubernetes. Its kubeconfig is read by the same rules as a file."""
    from prefect_kubernetes.credentials import KubernetesClusterConfig  # half a second, and most clusters need it not

    try:
        block = await KubernetesClusterConfig.aload(name)
    except ValueError as error:
        raise InvalidInput(
            f"there is no Kubernetes Cluster Config block called {name!r} on this Prefect server", hint="`prefect block ls`"
        ) from error
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:  # made for the user alone
        yaml.safe_dump(block.config, file)
        file.flush()
        request = ConnectRequest(wanted.name, "custom", kubeconfig=file.name, context=block.context_name, **facts)
        return await describe_cluster(request, environ=os.environ)
