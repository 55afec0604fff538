"""Capacity: what no node can hold is refused before anything is launched, and nothing else is."""

from decimal import Decimal
from typing import Any

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.cluster.capacity import no_room, requests_of, waits
from tasks.kubernetes.cluster.nodes import Node
from tasks.kubernetes.cluster.placement import obstacle, tolerates
from tasks.kubernetes.cluster.quantities import exact
from tasks.kubernetes.jobs.dry_run import pod_spec
from trialflow.specs import RunSpec
from trialflow.specs.resources import GPU, Resources


def node(name: str = "node1", cpu: str = "2", memory: str = "12Gi", gpus: str = "0", **others: Any) -> Node:
    allocatable = {"cpu": exact(cpu), "memory": exact(memory), GPU: exact(gpus), "ephemeral-storage": exact("20Gi"), "pods": exact("110")}
    labels = {"trialflow.dev/node-group": others["group"]} if others.get("group") else {}
    return Node(**{"name": name, "ready": True, "cordoned": False, "group": None, "allocatable": allocatable, "labels": labels, **others})


def asks(gpus: str = "0", pod: dict[str, Any] | None = None, **amounts: str) -> dict[str, Any]:
    """The spec of a pod that is launched for such `resources` and `pod` in run.yml."""
    return pod_spec(RunSpec(resources=Resources(requests=amounts, gpus=int(gpus) or None), pod=pod or {}), Cluster("mine"))


def required(key: str, operator: str, *values: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}}


TEAM = {"key": "team", "value": "a", "effect": "NoSchedule"}
FITS = [
    (asks(), [node()]),
    (asks(cpu="2"), [node()]),
    (asks(cpu="3"), [node(), node("node2", cpu="4")]),
    (asks(cpu="2"), [node(requested={"cpu": Decimal(2)})]),
    (asks(cpu="2"), [node(ready=False)]),
    (asks(cpu="2"), [node(taints=({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},))]),
    (asks(cpu="2"), [node(taints=({"key": "team", "effect": "PreferNoSchedule"},))]),
    (asks(gpus="1"), [node(gpus="4", group="gpu", taints=({"key": GPU, "effect": "NoSchedule"},))]),
    (asks(pod={"tolerations": [{"key": "team", "operator": "Exists"}]}), [node(taints=(TEAM,))]),
    (asks(pod={"nodeSelector": {"disk": "fast"}}), [node(), node("node2", labels={"disk": "fast"})]),
    (asks(pod=required("disk", "In", "fast")), [node("node2", labels={"disk": "fast"})]),
]


@pytest.mark.parametrize(("requests", "nodes"), FITS)
def test_what_an_empty_node_could_hold_is_not_refused(requests: dict[str, Any], nodes: list[Node]) -> None:
    assert no_room(requests, nodes) is None


REFUSED = [
    (asks(cpu="3"), [node(), node("node2")], "asks 3 CPU, and the largest node for it, node2, has 2 CPU when empty"),
    (asks(memory="13Gi"), [node()], "asks 13.0 GiB, and the largest node for it, node1, has 12.0 GiB when empty"),
    (asks(gpus="1"), [node()], "asks 1 GPU, and the largest node for it, node1, has none when empty"),
    (asks(cpu="2"), [node(daemons={"cpu": Decimal("0.1")})], "asks 2 CPU, and the largest node for it, node1, has 1.9 CPU when empty"),
    (asks(cpu="4", memory="4Gi"), [node(cpu="8", memory="1Gi"), node("node2")], "no node has 4 CPU and 4.0 GiB together, not even when empty"),
    (asks(cpu="3"), [node(), node("system", cpu="8", group="system")], "the largest node for it, node1, has 2 CPU"),
    (asks(cpu="3"), [node(), node("gpu", cpu="8", group="gpu")], "the largest node for it, node1, has 2 CPU"),
    (asks(cpu="1"), [node(group="system")], "none of the cluster's 1 nodes is for such a training run: node1 is of group system"),
    (asks(cpu="1"), [node(taints=({"key": "team", "effect": "NoSchedule"},))], "node1 is tainted team"),
    (asks(cpu="1"), [], "the cluster has no node"),
    (asks(pod={"tolerations": [{"key": "team", "value": "b"}]}), [node(taints=(TEAM,))], "node1 is tainted team"),
    (asks(pod={"nodeSelector": {"disk": "fast"}}), [node(labels={"disk": "slow"})], "node1 is not labelled disk=fast"),
    (asks(pod=required("disk", "Exists")), [node()], "node1 is excluded by node affinity"),
    (
        asks(cpu="3", pod={"nodeSelector": {"disk": "fast"}}),
        [node(cpu="8"), node("node2", labels={"disk": "fast"})],
        "the largest node for it, node2",
    ),
    (asks(gpus="1"), [node(labels={"nvidia.com/gpu.present": "true"})], "node1 has GPUs that no device plugin offers to pods"),
    (asks(gpus="1"), [node(labels={"node.kubernetes.io/instance-type": "g5.xlarge"})], "no device plugin"),
]


@pytest.mark.parametrize(("requests", "nodes", "words"), REFUSED)
def test_what_no_node_could_hold_is_refused_with_the_largest(requests: dict[str, Any], nodes: list[Node], words: str) -> None:
    found = no_room(requests, nodes)
    assert found is not None and words in found.message and found.hint


def test_that_gpus_are_offered_by_nobody_is_said_with_what_offers_them() -> None:
    found = no_room(asks(gpus="1"), [node(group="gpu")])
    assert found is not None and "install-plugins --gpu" in found.hint


def test_on_a_cluster_that_makes_nodes_it_is_said_that_one_has_to_be_made() -> None:
    assert "has to make one" in (waits(asks(cpu="64"), [node()], autoscales=True) or "")


def test_that_nothing_can_start_now_is_said() -> None:
    assert waits(asks(cpu="1"), [node()], autoscales=False) is None
    assert "none is ready" in (waits(asks(cpu="1"), [node(cordoned=True), node("node2", ready=False)], autoscales=False) or "")


def test_training_runs_keep_away_from_gpus_that_they_do_not_ask_for() -> None:
    assert obstacle(node(group="gpu"), asks(cpu="1")) and obstacle(node(group="gpu"), asks(gpus="1")) is None


TAINT = {"key": "team", "value": "a", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("toleration", "is_tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "team", "operator": "Exists"}, True),
        ({"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute"}, True),
        ({"key": "team", "value": "a"}, True),
        ({"key": "team", "value": "b"}, False),
        ({"key": "team", "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({}, False),
    ],
)
def test_a_taint_is_tolerated_as_the_scheduler_has_it(toleration: dict[str, str], is_tolerated: bool) -> None:
    assert tolerates(toleration, TAINT) == is_tolerated


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [
        ("In", ("8", "16"), True),
        ("In", ("16",), False),
        ("NotIn", ("16",), True),
        ("NotIn", ("8",), False),
        ("Exists", (), True),
        ("DoesNotExist", (), False),
        ("Gt", ("4",), True),
        ("Gt", ("8",), False),
        ("Lt", ("9",), True),
        ("Lt", ("many",), False),
    ],
)
def test_node_affinity_is_read_as_the_scheduler_reads_it(operator: str, values: tuple[str, ...], fits: bool) -> None:
    assert (obstacle(node(labels={"cores": "8"}), required("cores", operator, *values)) is None) == fits


def test_what_the_user_asks_under_pod_is_asked_as_well() -> None:
    spec = asks(cpu="500m", gpus="1", pod={"containers": [{"name": "model", "resources": {"requests": {"memory": "1Gi"}}}]})
    found = requests_of(spec)
    assert (found["cpu"], found["memory"], found[GPU]) == (Decimal("0.5"), Decimal(1024**3), 1)
