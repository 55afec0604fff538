"""Can any node of the cluster hold such a pod, even an empty one? Asked before the first launch, since a pod would be pending for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Missing
from tasks.kubernetes.client.requests import ask, listed
from tasks.kubernetes.cluster.gpus import gpu_support
from tasks.kubernetes.cluster.nodes import Node, pod_requests, read_nodes
from tasks.kubernetes.cluster.placement import obstacle
from tasks.kubernetes.cluster.quantities import compared, in_words
from trialflow.errors import InvalidInput
from trialflow.specs.resources import GPU

AUTOSCALER_STATUS = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"
NODE_POOLS = "/apis/karpenter.sh/v1/nodepools"
Json = Mapping[str, Any]
Requests = Mapping[str, Decimal]


@dataclass(frozen=True)
class NoRoom:
    """Why no node can hold a pod, and what to do about it."""

    message: str
    hint: str


def requests_of(spec: Json) -> dict[str, Decimal]:
    """What a pod with this `spec` asks of a node, without what it does not ask at all."""
    return {name: amount for name, amount in sorted(pod_requests({"spec": spec}).items()) if amount > 0}


def no_room(spec: Json, nodes: Sequence[Node]) -> NoRoom | None:
    """Why no node could hold a pod with this `spec` even if it were empty; None if one could."""
    if not nodes:
        return NoRoom("the cluster has no node", "add one, then `trialflow cluster status`")
    requests = requests_of(spec)
    obstacles = {node.name: obstacle(node, spec) for node in nodes}
    meant = [node for node in nodes if obstacles[node.name] is None]
    if GPU in requests and (without := _no_plugin(nodes, meant, requests[GPU])):
        return without
    if not meant:
        told = ", ".join(f"{name} {why}" for name, why in list(obstacles.items())[:3]) + (", ..." if len(nodes) > 3 else "")
        return NoRoom(
            f"none of the cluster's {len(nodes)} nodes is for such a training run: {told}",
            "label or untaint a node, ask for GPUs, or set `tolerations` or `nodeSelector` under `pod:` in run.yml; see docs/clusters.md",
        )
    if any(not _lacking(node, requests) for node in meant):
        return None
    lacked_by_all = [name for name in requests if all(node.empty(name) < requests[name] for node in meant)]
    if not lacked_by_all:
        lacked = [name for name in requests if any(node.empty(name) < requests[name] for node in meant)]
        closest = min(meant, key=lambda node: (len(_lacking(node, requests)), node.name))
        asked = " and ".join(in_words(name, requests[name]) for name in lacked)
        has = ", ".join(in_words(name, closest.empty(name)) for name in lacked)
        return NoRoom(
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
    return NoRoom("; ".join(told), f"ask for less {words} in `resources` of run.yml, or add a larger node")


def _no_plugin(nodes: Sequence[Node], meant: Sequence[Node], wanted: Decimal) -> NoRoom | None:
    """What to say where GPUs are there and nothing offers them, which looks to the scheduler as if there were none."""
    support = gpu_support(nodes)
    if not support.idle or any(node.empty(GPU) >= wanted for node in meant):
        return None
    return NoRoom(
        f"a training run asks {in_words(GPU, wanted)}, and {support}",
        "`trialflow cluster install-plugins --gpu` installs NVIDIA's device plugin",
    )


def _lacking(node: Node, requests: Requests) -> list[str]:
    return [name for name, amount in requests.items() if node.empty(name) < amount]


def waits(spec: Json, nodes: Sequence[Node], *, autoscales: bool) -> str | None:
    """A sentence for when a node has to be made, or to become usable, before a first training run can start; None if one could now."""
    requests = requests_of(spec)
    usable = [node for node in nodes if obstacle(node, spec) is None and not _lacking(node, requests)]
    if not usable:
        return "no node of the cluster can hold a training run yet: its autoscaler has to make one" if autoscales else None
    if not any(node.ready and not node.cordoned for node in usable):
        names = ", ".join(node.name for node in usable[:3])
        return f"training runs wait: of the nodes that can hold one ({names}) none is ready and open for new pods"
    return None


async def check_capacity(connection: Connection, spec: Json) -> str | None:
    """A note on whether pods with this `spec`, as they will be launched, can start; None if all is well.

    Raises `InvalidInput` if no node can ever hold one, `ClusterError`.
    """
    seen = await read_nodes(connection)
    if not seen.known:
        return f"whether a node can hold a training run was not checked: {seen.note}"
    doomed = no_room(spec, seen.nodes)
    if doomed is None:
        return waits(spec, seen.nodes, autoscales=False)
    if await has_autoscaler(connection):
        return waits(spec, seen.nodes, autoscales=True)
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
