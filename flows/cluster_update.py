"""The flow `cluster-update`: make a cluster on AWS follow its cluster.yml, as far as that can be done in place."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from flows.aws_steps import do_all, sign_in
from flows.cluster_create import connected
from tasks.aws.plan import lines
from tasks.aws.preparing import keys_of, prepare_update
from tasks.aws.updating import updating
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT
from trialflow.errors import InvalidInput
from trialflow.specs import ClusterSpec


@flow(name="cluster-update", flow_run_name="cluster-update {config.cluster_name}", persist_result=False)
async def cluster_update(config: ClusterSpec, credentials: str | None = None) -> dict[str, Any]:
    """Change a cluster on AWS to what a cluster.yml says; what cannot be changed in place is refused. Returns name, region, server.

    Args:
        config: The contents of cluster.yml, without keys: parameters are shown.
        credentials: Name of an AWS credentials block; by default what the machine has (environment, profile, role).
    """
    if keys_of(config) is not None:
        raise InvalidInput("cluster.yml holds keys, and what is given to a flow is shown", hint="keep them in an AWS credentials block instead")
    aws = await sign_in(credentials, config.region)
    design, plan = await asyncio.to_thread(prepare_update, aws, config, today=datetime.now(UTC).date())
    get_run_logger().info("plan:\n%s", "\n".join(lines(plan)))
    await do_all(updating(aws, design, plan, MODEL_ACCOUNT))
    cluster = await connected(aws, design, config)
    return {"cluster": cluster.name, "region": aws.region, "server": cluster.server}
