"""Capacity: what no node can hold is refused before anything is launched, and nothing else is."""

from decimal import Decimal
from typing import Any

import pytest

from tasks.kubernetes.cluster.capacity import Refusal, is_meant_for, refusal, requests_of, waits
from tasks.kubernetes.cluster.nodes import Node
from tasks.kubernetes.cluster.quantities import GPU, exact
from trialflow.specs.resources import Resources


def node(name: str = "node1", cpu: str = "2", memory: str = "12Gi", gpus: str = "0", **others: Any) -> Node:
    allocatable = {"cpu": exact(cpu), "memory": exact(memory), GPU: exact(gpus)}
    return Node(**{"name": name, "ready": True, "cordoned": False, "group": None, "allocatable": allocatable, **others})


def asks(**amounts: str) -> dict[str, Decimal]:
    return {GPU if name == "gpus" else name: exact(amount) for name, amount in amounts.items()}


FITS = [
    ({}, [node()]),
    (asks(cpu="2"), [node()]),
    (asks(cpu="3"), [node(), node("node2", cpu="4")]),
    (asks(cpu="2"), [node(requested={"cpu": Decimal(2)})]),
    (asks(cpu="2"), [node(ready=False)]),
    (asks(cpu="2"), [node(taints=({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},))]),
    (asks(cpu="2"), [node(taints=({"key": "team", "effect": "PreferNoSchedule"},))]),
    (asks(gpus="1"), [node(gpus="4", group="gpu", taints=({"key": GPU, "effect": "NoSchedule"},))]),
]


@pytest.mark.parametrize(("requests", "nodes"), FITS)
def test_what_an_empty_node_could_hold_is_not_refused(requests: dict[str, Decimal], nodes: list[Node]) -> None:
    assert refusal(requests, nodes, autoscales=False) is None


REFUSED = [
    (asks(cpu="3"), [node(), node("node2")], "asks 3 CPU, and the largest node for it, node2, has 2 CPU when empty"),
    (asks(memory="13Gi"), [node()], "asks 13.0 GiB, and the largest node for it, node1, has 12.0 GiB when empty"),
    (asks(gpus="1"), [node()], "asks 1 GPU, and the largest node for it, node1, has none when empty"),
    (asks(cpu="2"), [node(daemons={"cpu": Decimal("0.1")})], "asks 2 CPU, and the largest node for it, node1, has 1.9 CPU when empty"),
    (asks(cpu="4", memory="4Gi"), [node(cpu="8", memory="1Gi"), node("node2")], "no node has 4 CPU and 4.0 GiB together, not even when empty"),
    (asks(cpu="3"), [node(), node("system", cpu="8", group="system")], "the largest node for it, node1, has 2 CPU"),
    (asks(cpu="3"), [node(), node("gpu", cpu="8", group="gpu")], "the largest node for it, node1, has 2 CPU"),
    (asks(cpu="1"), [node(group="system")], "none of the cluster's 1 nodes is for training runs: node1 is of group system"),
    (asks(cpu="1"), [node(taints=({"key": "team", "effect": "NoSchedule"},))], "node1 is tainted team"),
    (asks(cpu="1"), [], "the cluster has no node"),
]


@pytest.mark.parametrize(("requests", "nodes", "words"), REFUSED)
def test_what_no_node_could_hold_is_refused_with_the_largest(requests: dict[str, Decimal], nodes: list[Node], words: str) -> None:
    found = refusal(requests, nodes, autoscales=False)
    assert isinstance(found, Refusal) and words in found.message and found.hint


def test_a_cluster_that_makes_nodes_refuses_nothing_and_says_that_one_has_to_be_made() -> None:
    assert refusal(asks(cpu="64"), [node()], autoscales=True) is None
    assert "has to make one" in (waits(asks(cpu="64"), [node()], autoscales=True) or "")


def test_that_nothing_can_start_now_is_said() -> None:
    assert waits(asks(cpu="1"), [node()], autoscales=False) is None
    assert "none is ready" in (waits(asks(cpu="1"), [node(cordoned=True), node("node2", ready=False)], autoscales=False) or "")


def test_training_runs_keep_away_from_gpus_that_they_do_not_ask_for() -> None:
    assert not is_meant_for(node(group="gpu"), asks(cpu="1")) and is_meant_for(node(group="gpu"), asks(gpus="1"))


def test_limits_and_gpus_are_asked_as_well() -> None:
    resources = Resources(requests={"cpu": "500m"}, limits={"cpu": 2, "memory": "1Gi"}, gpus=1)
    assert requests_of(resources) == {"cpu": Decimal("0.5"), "memory": Decimal(1024**3), GPU: 1}
    assert requests_of(None) == {}
