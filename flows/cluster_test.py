"""The flow `cluster-test`: find out whether a cluster is fit to work on."""

from dataclasses import asdict
from typing import Any

from blocks.references import ClusterBlock
from flows.cluster_session import show_table
from flows.declaring import flow
from flows.ending import errors_as_states
from tasks.kubernetes.cluster.saved import cluster_of_block
from tasks.operations.checking import check_cluster
from tasks.steps import run_logger
from trialflow.errors import TrialflowError


@flow(name="cluster-test", flow_run_name="cluster-test {cluster}", persist_result=False)
@errors_as_states
async def cluster_test(cluster: ClusterBlock) -> list[dict[str, Any]]:
    """Look at a cluster's API server, nodes, rights, accounts and registry. Fails if training runs cannot do without what is wrong.

    Args:
        cluster: A `trialflow cluster` block, as `trialflow cluster connect` makes it.
    """
    checks = await check_cluster(await cluster_of_block(cluster))
    rows = [{**asdict(one), "fix": one.fix or ""} for one in checks]
    for one in checks:
        level = {"ok": "info", "warn": "warning", "fail": "error"}[one.state]
        getattr(run_logger(), level)("%s: %s", one.what, one.found)
    await show_table("test", cluster, rows)
    if failed := [one for one in checks if one.state == "fail"]:
        raise TrialflowError(f"cluster {cluster} is not fit to work on: {failed[0].what}: {failed[0].found}", hint=failed[0].fix)
    return rows
