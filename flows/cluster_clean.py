"""The flow `cluster-clean`: delete what is left over on a cluster."""

from typing import Any

from blocks.references import ClusterBlock, ServiceBlock
from flows.cluster_session import cluster_session, conclude, show_table
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.operations.cleaning import apply_clean, plan_clean


@flow(name="cluster-clean", flow_run_name="cluster-clean {cluster}", persist_result=False)
@errors_as_states
async def cluster_clean(
    cluster: ClusterBlock, strangers: bool = False, service: ServiceBlock | None = None, only_plan: bool = False
) -> list[dict[str, Any]]:
    """Delete what nobody needs any more on the cluster. Nothing is touched that runs, or that holds a result which has not been taken.

    Args:
        cluster: A `trialflow cluster` block.
        strangers: Also delete what has ended and this service does not know. It may belong to another user.
        service: A `trialflow service` block; by default the service of the worker's machine.
        only_plan: Only show what would be deleted, and why.
    """
    async with cluster_session(cluster, service) as session:
        plan = await plan_clean(session, everyones=strangers)
        if only_plan:
            rows = [
                {"name": f"{one.thing.kind.lower()}/{one.thing.name}", "result": "would go" if one.goes else "stays", "why": one.why}
                for one in plan.verdicts
            ]
            await show_table("clean", cluster, rows)
            return rows
        return await conclude("clean", cluster, [one async for one in apply_clean(plan, session)])
