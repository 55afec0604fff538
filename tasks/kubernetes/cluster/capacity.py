"""Can any node of the cluster hold such a training run, even an empty one? Asked before the first launch, since a pod would pend for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Missing
from tasks.kubernetes.client.objects import ask, listed
from tasks.kubernetes.cluster.nodes import Node, read_nodes
from tasks.kubernetes.cluster.quantities import GPU, compared, exact, in_words
from trialflow.errors import InvalidInput
from trialflow.specs.resources import Resources

AUTOSCALER_STATUS = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"
NODE_POOLS = "/apis/karpenter.sh/v1/nodepools"


@dataclass(frozen=True)
class Refusal:
    """Why no node can hold a request, and what to do about it."""

    message: str
    hint: str


def requests_of(resources: Resources | None) -> dict[str, Decimal]:
    """What a training run asks of a node: requests, limits where there is no request, and GPUs."""
    if resources is None:
        return {}
    asked = {**resources.limits, **resources.requests, **({GPU: resources.gpus} if resources.gpus else {})}
    return {name: amount for name, quantity in asked.items() if (amount := exact(quantity)) > 0}


def is_meant_for(node: Node, requests: Mapping[str, Decimal]) -> bool:
    """Whether a training run may go to this node when it is in order: by its group, and by its taints.

    Training runs keep away from `system`, and from `gpu` unless they ask for GPUs; then they tolerate the taint that GPU nodes commonly have.
    """
    asks_gpu = GPU in requests
    if node.group == "system" or (node.group == "gpu" and not asks_gpu):
        return False
    return all(_is_tolerated(taint, asks_gpu) for taint in node.taints)


def _is_tolerated(taint: Mapping[str, Any], asks_gpu: bool) -> bool:
    if taint.get("effect") == "PreferNoSchedule" or str(taint.get("key")).startswith("node.kubernetes.io/"):
        # The latter tell a state (not ready, out of memory, cordoned) that passes; what a node is for they do not tell.
        return True
    return asks_gpu and taint.get("key") == GPU


def refusal(requests: Mapping[str, Decimal], nodes: Sequence[Node], *, autoscales: bool) -> Refusal | None:
    """Why no node could hold the request even if it were empty; None if one could, or if the cluster makes nodes as they are needed."""
    if autoscales:
        return None
    if not nodes:
        return Refusal("the cluster has no node", "add one, then `trialflow cluster status`")
    meant = [node for node in nodes if is_meant_for(node, requests)]
    if not meant:
        return Refusal(
            f"none of the cluster's {len(nodes)} nodes is for training runs: {_why_not(nodes, requests)}",
            "label or untaint a node for them (trialflow.dev/node-group=cpu or gpu), or ask for GPUs in run.yml",
        )
    if any(not _lacking(node, requests) for node in meant):
        return None
    lacked_by_all = [name for name in requests if all(node.empty(name) < requests[name] for node in meant)]
    if not lacked_by_all:
        closest = min(meant, key=lambda node: (len(_lacking(node, requests)), node.name))
        asked = " and ".join(in_words(name, requests[name]) for name in requests)
        has = ", ".join(in_words(name, node_has) for name in requests for node_has in [closest.empty(name)])
        return Refusal(
            f"no node has {asked} together, not even when empty; node {closest.name} comes closest with {has}",
            "ask for less in `resources` of run.yml, or add a larger node",
        )
    told = []
    for name in lacked_by_all:
        largest = max(meant, key=lambda node: (node.empty(name), node.name))
        asked, has = compared(name, requests[name], largest.empty(name))
        told.append(
            f"a training run asks {asked}, and the largest node for it, {largest.name}, has {has if largest.empty(name) > 0 else 'none'} when empty"
        )
    words = ", ".join(f"`{name}`" for name in lacked_by_all)
    return Refusal("; ".join(told), f"ask for less {words} in `resources` of run.yml, or add a larger node")


def _lacking(node: Node, requests: Mapping[str, Decimal]) -> list[str]:
    return [name for name, amount in requests.items() if node.empty(name) < amount]


def _why_not(nodes: Sequence[Node], requests: Mapping[str, Decimal]) -> str:
    told = []
    for node in nodes[:3]:
        foreign = next((str(taint.get("key")) for taint in node.taints if not _is_tolerated(taint, GPU in requests)), None)
        told.append(f"{node.name} is {f'tainted {foreign}' if foreign else f'of group {node.group}'}")
    return ", ".join(told) + (", ..." if len(nodes) > 3 else "")


def waits(requests: Mapping[str, Decimal], nodes: Sequence[Node], *, autoscales: bool) -> str | None:
    """A sentence for when a node has to be made, or to become usable, before a first training run can start; None if one could now."""
    usable = [node for node in nodes if is_meant_for(node, requests) and not _lacking(node, requests)]
    if not usable:
        return "no node of the cluster can hold a training run yet: its autoscaler has to make one" if autoscales else None
    if not any(node.ready and not node.cordoned for node in usable):
        names = ", ".join(node.name for node in usable[:3])
        return f"training runs wait: of the nodes that can hold one ({names}) none is ready and open for new pods"
    return None


async def check_capacity(connection: Connection, resources: Resources | None) -> str | None:
    """A note on whether training runs can start; None if all is well. Raises `InvalidInput` if no node can ever hold one, `ClusterError`."""
    requests = requests_of(resources)
    seen = await read_nodes(connection)
    if not seen.known:
        return f"whether a node can hold a training run was not checked: {seen.note}"
    doomed = refusal(requests, seen.nodes, autoscales=False)
    note = waits(requests, seen.nodes, autoscales=False)
    if doomed is None:
        return note
    if await has_autoscaler(connection):
        return waits(requests, seen.nodes, autoscales=True)
    raise InvalidInput(doomed.message, hint=doomed.hint)


async def has_autoscaler(connection: Connection) -> bool:
    """Whether the cluster makes nodes as they are needed: cluster-autoscaler writes a status, Karpenter has NodePools. Not allowed to look is no."""
    try:
        await ask(connection, "GET", AUTOSCALER_STATUS, what="look for an autoscaler")
        return True
    except (Missing, ClusterRefused):
        pass
    try:
        return bool(await listed(connection, NODE_POOLS, what="look for Karpenter"))
    except (Missing, ClusterRefused):
        # A path that no API is served at answers 404 without a Status object.
        return False
