"""The nodes of a cluster as facts: what each is for, what it can hold, and what is asked of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.labels import MANAGED_BY, NODE_GROUPS, TRIALFLOW
from tasks.kubernetes.client.requests import has_condition, listed
from tasks.kubernetes.cluster.quantities import exact

Json = Mapping[str, Any]
Amounts = Mapping[str, Decimal]
NO_LONGER = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Node:
    """One node. Amounts are resource -> CPUs, bytes or pieces; `taints` are `{key, value, effect}`, `labels` name -> value, as in the API.

    `requested` is what all pods on it ask that have not ended, `daemons` the part of it that DaemonSets ask, `ours` the part of training runs.
    """

    name: str
    ready: bool
    cordoned: bool
    group: str | None
    allocatable: Amounts
    taints: tuple[Json, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    requested: Amounts = field(default_factory=dict)
    daemons: Amounts = field(default_factory=dict)
    ours: Amounts = field(default_factory=dict)

    def empty(self, resource: str) -> Decimal:
        """How much of a resource it has for training runs while there are none: allocatable less what DaemonSets ask."""
        return self.allocatable.get(resource, Decimal(0)) - self.daemons.get(resource, Decimal(0))


@dataclass(frozen=True)
class NodeReport:
    """What is known of a cluster's nodes. `note` says what could not be seen, and why; `known` is False if the nodes themselves could not."""

    nodes: tuple[Node, ...]
    known: bool = True
    note: str | None = None


def nodes_of(nodes: Iterable[Json], pods: Iterable[Json]) -> list[Node]:
    """The facts of nodes from the JSON of nodes and of all pods, by name."""
    everyone, daemons, ours = (defaultdict(lambda: defaultdict(Decimal)) for _ in range(3))
    for pod in pods:
        name = (pod.get("spec") or {}).get("nodeName")
        if not name or (pod.get("status") or {}).get("phase") in NO_LONGER:
            continue
        kinds = [everyone]
        metadata = pod.get("metadata") or {}
        if any(owner.get("kind") == "DaemonSet" for owner in metadata.get("ownerReferences") or []):
            kinds.append(daemons)
        if (metadata.get("labels") or {}).get(MANAGED_BY) == TRIALFLOW:
            kinds.append(ours)
        for resource, amount in pod_requests(pod).items():
            for kind in kinds:
                kind[name][resource] += amount
    return sorted((_node(node, everyone, daemons, ours) for node in nodes), key=lambda node: node.name)


def pod_requests(pod: Json) -> dict[str, Decimal]:
    """What a pod asks of its node, and one of `pods`: as the scheduler counts it.

    Containers and sidecars together, or what the largest init container needs with the sidecars before it, and the overhead.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    spec = pod.get("spec") or {}
    total: dict[str, Decimal] = _sum(container_requests(one) for one in spec.get("containers") or [])
    sidecars: dict[str, Decimal] = {}
    largest: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or []:
        asked = container_requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum([sidecars, asked])
            asked = sidecars
        else:
            asked = _sum([sidecars, asked])
        largest = {name: max(largest.get(name, Decimal(0)), asked.get(name, Decimal(0))) for name in {*largest, *asked}}
    total = _sum([total, sidecars])
    total = {name: max(total.get(name, Decimal(0)), largest.get(name, Decimal(0))) for name in {*total, *largest}}
    overhead = {name: exact(amount) for name, amount in (spec.get("overhead") or {}).items()}
    return _sum([total, overhead, {"pods": Decimal(1)}])


def container_requests(container: Json) -> dict[str, Decimal]:
    """What one container asks; a limit without a request is one."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: exact(amount) for name, amount in asked.items()}


def _sum(amounts: Iterable[Amounts]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for one in amounts:
        for name, amount in one.items():
            total[name] += amount
    return dict(total)


def _node(node: Json, everyone: Mapping[str, Amounts], daemons: Mapping[str, Amounts], ours: Mapping[str, Amounts]) -> Node:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    name, labels = metadata["name"], metadata.get("labels") or {}
    return Node(
        name=name,
        ready=has_condition(node, "Ready"),
        cordoned=bool(spec.get("unschedulable")),
        group=next((labels[label] for label in NODE_GROUPS if label in labels), None),
        allocatable={resource: exact(amount) for resource, amount in (status.get("allocatable") or {}).items()},
        taints=tuple(spec.get("taints") or ()),
        labels=labels,
        requested=dict(everyone.get(name, {})),
        daemons=dict(daemons.get(name, {})),
        ours=dict(ours.get(name, {})),
    )


async def list_nodes(connection: Connection) -> list[Node]:
    """The cluster's nodes without what is asked of them: one request. Raises `ClusterError`, `ClusterRefused` without the right to list nodes."""
    return nodes_of(await listed(connection, "/api/v1/nodes", what="list the nodes"), ())


async def read_nodes(connection: Connection) -> NodeReport:
    """The cluster's nodes. What we may not see is left out and said in the note. Raises `ClusterError` if the cluster does not answer."""
    try:
        nodes = await listed(connection, "/api/v1/nodes", what="list the nodes")
    except ClusterRefused as refused:
        if refused.status != 403:
            raise
        return NodeReport((), known=False, note="the nodes cannot be shown: this user may not list nodes")
    try:
        pods = await listed(connection, "/api/v1/pods", what="list the pods of all namespaces", fields="status.phase!=Succeeded,status.phase!=Failed")
    except ClusterRefused as refused:
        if refused.status != 403:
            raise
        pods = await listed(connection, f"/api/v1/namespaces/{connection.namespace}/pods", what="list the pods")
        note = f"what is requested is of namespace {connection.namespace} alone: this user may not list other pods"
        return NodeReport(tuple(nodes_of(nodes, pods)), note=note)
    return NodeReport(tuple(nodes_of(nodes, pods)))
