"""What the flows that look after a cluster have in common: what they work with, and how they show what became of each thing."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from tasks.experiments.address import open_service
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.cluster.saved import block_name, cluster_of_block
from tasks.operations.results import Failure, Result
from tasks.operations.targets import ClusterSession
from tasks.steps import run_logger
from trialflow.errors import TrialflowError
from trialflow.home import Home


@asynccontextmanager
async def cluster_session(cluster: str, service: str | None) -> AsyncIterator[ClusterSession]:
    """The cluster of that block and the service, open until the end."""
    home = Home.from_environment()
    kept = await cluster_of_block(cluster)
    async with open_service(home, service) as (client, _), open_cluster(kept) as connection:
        yield ClusterSession(home, client, connection)


async def show_table(kind: str, cluster: str, rows: Sequence[dict[str, Any]]) -> None:
    """Show a table in the UI, under a key that stays the same for the same cluster."""
    if rows and flow_run.id:
        key = "".join(letter if letter.isalnum() else "-" for letter in block_name(cluster))
        await acreate_table_artifact(table=list(rows), key=f"cluster-{key}-{kind}", description=f"Cluster {cluster}: {kind}")


async def conclude(kind: str, cluster: str, results: Sequence[Result]) -> list[dict[str, str]]:
    """Log and show what became of each thing. Raises `TrialflowError` if something could not be done."""
    rows = [{"name": one.name, "result": one.text, "why": one.failure.message if one.failure else one.warning or ""} for one in results]
    for row in rows:
        run_logger().info("%s: %s%s", row["name"], row["result"], f" ({row['why']})" if row["why"] else "")
    await show_table(kind, cluster, rows)
    if failed := [one for one in results if one.failure]:
        raise failure_of(kind, failed)
    return rows


def failure_of(kind: str, failed: Sequence[Result]) -> TrialflowError:
    """The error of a flow that could not do everything: it names the first, and how many others there are."""
    first: Failure | None = failed[0].failure
    assert first is not None
    more = f", and {len(failed) - 1} others" if len(failed) > 1 else ""
    return TrialflowError(f"{kind}: {failed[0].name} failed: {first.message}{more}", hint=first.hint)
