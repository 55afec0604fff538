"""The flow `cluster-stop`: stop experiments and training runs on a cluster."""

from typing import Any

from blocks.references import ClusterBlock, ServiceBlock
from flows.cluster_session import cluster_session, conclude, show_table
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.operations.results import Result
from tasks.operations.stopping import apply_stop, plan_stop, plan_stop_all
from tasks.steps import run_logger
from trialflow.errors import InvalidInput


@flow(name="cluster-stop", flow_run_name="cluster-stop {cluster}", persist_result=False)
@errors_as_states
async def cluster_stop(
    cluster: ClusterBlock,
    identifiers: list[str] = [],  # noqa: B006 - Prefect shows it as the default, and copies it
    everything: bool = False,
    strangers: bool = False,
    project: str | None = None,
    service: ServiceBlock | None = None,
    only_plan: bool = False,
) -> list[dict[str, Any]]:
    """Stop experiments or training runs, and delete what they have on the cluster. An experiment goes on when it is optimized again.

    Args:
        cluster: A `trialflow cluster` block.
        identifiers: What to stop, such as `experiment/12` or `run/34`.
        everything: Stop all that this service knows on the cluster instead.
        strangers: With everything, also stop what this service does not know. It may belong to another user.
        project: The project in which names of training runs are looked for.
        service: A `trialflow service` block; by default the service of the worker's machine.
        only_plan: Only show what would be stopped.
    """
    if bool(identifiers) == everything:
        raise InvalidInput("name what to stop in `identifiers`, or set `everything`: one of the two")
    async with cluster_session(cluster, service) as session:
        plan = await (plan_stop_all(session, everyones=strangers) if everything else plan_stop(session, identifiers, project or "default"))
        for item in (*plan.items, *plan.left):
            run_logger().info("%s: %s%s", item.name, item, "" if item in plan.items else "; left as it is")
        if only_plan:
            rows = [{"name": one.name, "result": "would be stopped", "why": str(one)} for one in plan.items]
            await show_table("stop", cluster, rows)
            return rows
        unknown = [Result(f"identifier {number}", "not stopped", failure) for number, failure in enumerate(plan.failures, 1)]
        done = [one async for one in apply_stop(plan, session)]
        return await conclude("stop", cluster, [*done, *unknown])
