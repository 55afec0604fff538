"""The flow `cluster-destroy`: delete a cluster on AWS that trialflow made, whole or half made, and prove that nothing is left."""

import asyncio
from typing import Any

from prefect.logging import get_run_logger

from blocks.references import AwsBlock
from flows.aws_steps import do_all, said, sign_in
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.aws.control_plane import read_cluster
from tasks.aws.errors import AwsRefused
from tasks.aws.inventory import leftovers
from tasks.aws.session import Aws
from tasks.aws.setting_up import clear, connection_facts
from tasks.aws.steps import destruction
from tasks.kubernetes.cluster.saved import delete_block
from trialflow.errors import TrialflowError


@flow(name="cluster-destroy", flow_run_name="cluster-destroy {cluster_name}", persist_result=False)
@errors_as_states
async def cluster_destroy(cluster_name: str, region: str | None = None, credentials: AwsBlock | None = None) -> dict[str, Any]:
    """Delete everything on AWS that carries the tag of this cluster. Done again it goes on, and finds nothing more to do.

    Args:
        cluster_name: The cluster's name. Nothing of any other is touched.
        region: Its region; by default that of the credentials.
        credentials: An AWS credentials block; by default what the machine has (environment, profile, role).
    """
    aws = await sign_in(credentials, region)
    await destroy(aws, cluster_name)
    return {"cluster": cluster_name, "region": aws.region, "left": []}


async def destroy(aws: Aws, name: str) -> None:
    """The same inside of a flow. Raises `AwsRefused` with a list of what is left, if anything is."""
    steps = await asyncio.to_thread(destruction, aws, name)
    cluster = await asyncio.to_thread(read_cluster, aws, name)
    if cluster is not None and cluster["status"] == "ACTIVE":
        try:
            await clear(await asyncio.to_thread(connection_facts, aws, name))
        except TrialflowError as error:
            # The machines go anyhow; what stays is found below.
            get_run_logger().warning("the cluster could not be cleared from within: %s", error.message)
    await do_all(steps)
    await delete_block(name)
    if left := await asyncio.to_thread(leftovers, aws, name):
        raise AwsRefused(f"of cluster {name} {len(left)} things are left: {'; '.join(left)}", hint="the same command tries again")
    said(f"0 resources carry the tag of cluster {name}")
