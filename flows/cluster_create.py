"""The flow `cluster-create`: make a cluster on AWS, or go on with one that is half made."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.logging import get_run_logger

from blocks.references import AwsBlock
from flows.aws_steps import do_all, on_retry, said, sign_in
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.aws.design import Design
from tasks.aws.errors import AwsUnavailable
from tasks.aws.plan import Plan, lines
from tasks.aws.preparing import keys_of, prepare_creation
from tasks.aws.session import Aws
from tasks.aws.setting_up import check, connection_facts, set_up
from tasks.aws.steps import Step, creation
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT, Cluster
from tasks.kubernetes.client.errors import ClusterRefused, ClusterUnavailable
from tasks.kubernetes.cluster.saved import save_block
from tasks.steps import step
from trialflow.errors import InvalidInput
from trialflow.specs import ClusterSpec, FlowClusterSpec

SIGN_IN_DELAYS = [2.0, 5.0, 10.0, 20.0]
"""A new access entry works after some seconds."""


class Installation:
    """What is installed where, as it is: Prefect neither searches nor shows what is in it."""

    def __init__(self, cluster: Cluster, design: Design) -> None:
        self.cluster = cluster
        self.design = design


@flow(name="cluster-create", flow_run_name="cluster-create {config.cluster_name}", persist_result=False)
@errors_as_states
async def cluster_create(config: FlowClusterSpec, credentials: AwsBlock | None = None) -> dict[str, Any]:
    """Make a cluster on AWS as a cluster.yml says. What exists already is kept, so a run that stopped goes on. Returns name, region and server.

    Args:
        config: The contents of cluster.yml, without keys: parameters are shown.
        credentials: An AWS credentials block; by default what the machine has (environment, profile, role).
    """
    return await carry_out(config, credentials, prepare_creation, lambda aws, design, plan: creation(aws, design, MODEL_ACCOUNT))


async def carry_out(
    config: ClusterSpec,
    credentials: str | None,
    prepare: Callable[..., tuple[Design, Plan]],
    steps: Callable[[Aws, Design, Plan], Sequence[Step]],
) -> dict[str, Any]:
    """Sign in, `prepare` the plan, do its `steps`, and set up the cluster that is there then: what creating and updating have in common."""
    if keys_of(config) is not None:
        raise InvalidInput("cluster.yml holds keys, and what is given to a flow is shown", hint="keep them in an AWS credentials block instead")
    aws = await sign_in(credentials, config.region)
    design, plan = await asyncio.to_thread(prepare, aws, config, today=datetime.now(UTC).date())
    get_run_logger().info("plan:\n%s", "\n".join(lines(plan)))
    await do_all(steps(aws, design, plan))
    cluster = await connected(aws, design, config)
    return {"cluster": cluster.name, "region": aws.region, "server": cluster.server}


async def connected(aws: Aws, design: Design, config: ClusterSpec) -> Cluster:
    """Sign in to a cluster that is there, install what it lacks, and have Prefect keep it."""
    facts = {"namespace": config.namespace, "registry": config.registry, "api_url": config.api_url}
    cluster = await asyncio.to_thread(connection_facts, aws, design.name, **facts)
    version = await answering(cluster.name, Installation(cluster, design), aws.principal)
    said(f"Kubernetes {version} answers at {cluster.server}")
    for line in await installed(cluster.name, Installation(cluster, design)):
        said(line)
    await save_block(cluster)
    return cluster


@step("sign in to", delays=SIGN_IN_DELAYS, retried=(ClusterUnavailable, ClusterRefused), on_retry=on_retry)
async def answering(name: str, work: Installation, principal: str) -> str:
    """The version that the new API server answers with."""
    return await check(work.cluster, principal)


@step("set up", delays=SIGN_IN_DELAYS, retried=(ClusterUnavailable, AwsUnavailable), on_retry=on_retry)
async def installed(name: str, work: Installation) -> list[str]:
    """Install on the cluster what trialflow and its nodes need."""
    return await set_up(work.cluster, work.design)
