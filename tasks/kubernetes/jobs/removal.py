"""Taking training runs off a cluster: their Jobs are deleted, and it is waited, by a watch, until no pod is left."""

import asyncio
import contextlib
from collections.abc import Mapping

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Missing
from tasks.kubernetes.client.labels import TRAINING_RUN, TRAINING_RUN_NAME, WORK, check_work_name, selector
from tasks.kubernetes.client.requests import ask, has_condition
from tasks.kubernetes.jobs import ending
from tasks.kubernetes.jobs.experiment_objects import delete_objects
from tasks.kubernetes.jobs.watching import PodWatch
from trialflow.errors import TrialflowError

WITHOUT_DELETION_SECONDS = 5.0
"""Kubernetes deletes the pods of a deleted Job within a second or two. Those it does not, which have no Job, are deleted one by one."""
NODE_SECONDS = 20.0
"""A pod that is there so long after its deletion, and more than models get to end: its node is asked whether it is alive."""
LONGEST_SECONDS = 120.0


async def remove_work(connection: Connection, uid: str, *, longest: float = LONGEST_SECONDS) -> int:
    """Delete all that an experiment, or a training run of none, has on the cluster. Returns how many pods there were.

    Raises `ClusterError`, `InvalidInput` if `uid` is no name of ours, and `TrialflowError` if a pod is still there after `longest` seconds.
    """
    async with PodWatch(connection, {WORK: check_work_name(uid)}) as watch:
        count = len(watch.present)
        await delete_objects(connection, uid)
        await _until_none(connection, watch, longest)
    return count


async def remove_training_run(connection: Connection, run_id: str, name: str, *, longest: float = LONGEST_SECONDS) -> int:
    """Delete the Jobs and pods of one training run; what its experiment has beside them stays. Returns and raises as `remove_work`."""
    labels = {TRAINING_RUN: run_id, TRAINING_RUN_NAME: name}
    async with PodWatch(connection, labels) as watch:
        count = len(watch.present)
        query = {"labelSelector": selector(labels), "propagationPolicy": "Background"}
        path = f"/apis/batch/v1/namespaces/{connection.namespace}/jobs"
        await ask(connection, "DELETE", path, what=f"delete the Jobs of training run {run_id}", query=query)
        await _until_none(connection, watch, longest)
    return count


async def _until_none(connection: Connection, watch: PodWatch, longest: float) -> None:
    try:
        async with asyncio.timeout(longest):
            await asyncio.gather(*(_until_gone(connection, watch, job) for job in watch.present))
    except TimeoutError:
        left = {pod["metadata"]["name"]: ending.node_of(pod) for pod in watch.present.values()}
        told = ", ".join(f"{name} on node {node}" for name, node in list(left.items())[:3])
        raise TrialflowError(
            f"{len(left)} pods are still there {longest:.0f} s after their deletion: {told}",
            hint="Kubernetes goes on deleting them; `trialflow cluster status` shows what is left",
        ) from None


async def _until_gone(connection: Connection, watch: PodWatch, job: str) -> None:
    seen, within = 0, WITHOUT_DELETION_SECONDS
    while (pod := watch.present.get(job)) is not None:
        now = await watch.change(job, seen, within)
        if now != seen:
            seen = now
            continue
        pod = watch.present.get(job)
        if pod is None:
            return
        if not ending.is_being_deleted(pod):
            await _delete_pod(connection, pod["metadata"]["name"])
        elif not await _has_node(connection, ending.node_of(pod)):
            await _delete_pod(connection, pod["metadata"]["name"], grace=0)
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        within = NODE_SECONDS + grace


async def _has_node(connection: Connection, name: str) -> bool:
    """Whether Kubernetes hears from the node; True where that cannot be known."""
    try:
        return bool(name) and has_condition(await ask(connection, "GET", f"/api/v1/nodes/{name}", what=f"look at node {name}"), "Ready")
    except Missing:
        return False
    except ClusterRefused:
        return True


async def _delete_pod(connection: Connection, name: str, *, grace: int | None = None) -> None:
    query: Mapping[str, int] = {} if grace is None else {"gracePeriodSeconds": grace}
    with contextlib.suppress(Missing):
        await ask(connection, "DELETE", f"/api/v1/namespaces/{connection.namespace}/pods/{name}", what=f"delete pod {name}", query=query)
