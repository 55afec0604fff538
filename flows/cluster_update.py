"""The flow `cluster-update`: make a cluster on AWS follow its cluster.yml, as far as that can be done in place."""

from typing import Any

from blocks.references import AwsBlock
from flows.cluster_create import carry_out
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.aws.preparing import prepare_update
from tasks.aws.updating import updating
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT
from trialflow.specs import FlowClusterSpec


@flow(name="cluster-update", flow_run_name="cluster-update {config.cluster_name}", persist_result=False)
@errors_as_states
async def cluster_update(config: FlowClusterSpec, credentials: AwsBlock | None = None) -> dict[str, Any]:
    """Change a cluster on AWS to what a cluster.yml says; what cannot be changed in place is refused. Returns name, region, server.

    Args:
        config: The contents of cluster.yml, without keys: parameters are shown.
        credentials: An AWS credentials block; by default what the machine has (environment, profile, role).
    """
    return await carry_out(config, credentials, prepare_update, lambda aws, design, plan: updating(aws, design, plan, MODEL_ACCOUNT))
