"""Nodes: what is asked of each, counted as the scheduler counts it."""

from decimal import Decimal
from typing import Any

import pytest

from tasks.kubernetes.cluster.nodes import nodes_of, pod_requests


def container(cpu: str | None = None, *, limit: str | None = None, restart: str | None = None) -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu} if cpu else {}, "limits": {"cpu": limit} if limit else {}}
    return {"resources": resources, **({"restartPolicy": restart} if restart else {})}


SPECS = [
    ({"containers": [container("1"), container("500m")]}, "1.5"),
    ({"containers": [container(limit="2")]}, "2"),
    ({"containers": [container("1", limit="2")]}, "1"),
    ({"containers": [container("1")], "initContainers": [container("3"), container("2")]}, "3"),
    ({"containers": [container("1")], "initContainers": [container("250m", restart="Always")]}, "1.25"),
    ({"containers": [container("1")], "initContainers": [container("250m", restart="Always"), container("2")]}, "2.25"),
    ({"containers": [container("1")], "overhead": {"cpu": "100m"}}, "1.1"),
    ({"containers": [container()]}, "0"),
]


@pytest.mark.parametrize(("spec", "cpu"), SPECS)
def test_a_pod_asks_what_the_scheduler_reserves(spec: dict[str, Any], cpu: str) -> None:
    asked = pod_requests({"spec": spec})
    assert asked.get("cpu", Decimal(0)) == Decimal(cpu) and asked["pods"] == 1


def node(name: str = "node1", *, ready: str = "True", **others: Any) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "allocatable": {"cpu": "2", "memory": "12Gi", "pods": "110"}}
    return {"metadata": {"name": name, "labels": others.pop("labels", {})}, "spec": others, "status": status}


def pod(cpu: str, *, on: str | None = "node1", phase: str = "Running", owner: str = "Job", labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"labels": labels or {}, "ownerReferences": [{"kind": owner}]}
    return {"metadata": metadata, "spec": {"nodeName": on, "containers": [container(cpu)]}, "status": {"phase": phase}}


def test_pods_that_ended_or_are_nowhere_ask_nothing() -> None:
    pods = [pod("1"), pod("1", phase="Succeeded"), pod("1", phase="Failed"), pod("1", on=None, phase="Pending"), pod("1", on="node2")]
    assert nodes_of([node()], pods)[0].requested == {"cpu": 1, "pods": 1}


def test_daemons_and_ours_are_told_apart() -> None:
    pods = [pod("1", labels={"app.kubernetes.io/managed-by": "trialflow"}), pod("250m", owner="DaemonSet"), pod("100m")]
    (found,) = nodes_of([node()], pods)
    assert (found.requested["cpu"], found.ours["cpu"], found.daemons["cpu"]) == (Decimal("1.35"), 1, Decimal("0.25"))
    assert found.empty("cpu") == Decimal("1.75")


@pytest.mark.parametrize("label", ["trialflow.dev/node-group", "orchestrate.sigopt.com/node-group-type"])
def test_both_labels_say_what_a_node_is_for(label: str) -> None:
    assert nodes_of([node(labels={label: "gpu"})], [])[0].group == "gpu"


def test_state_is_read_as_it_is_written() -> None:
    cordoned = nodes_of([node(unschedulable=True, taints=[{"key": "a", "effect": "NoSchedule"}])], [])[0]
    assert cordoned.ready and cordoned.cordoned and cordoned.taints[0]["key"] == "a"
    assert not nodes_of([node(ready="Unknown")], [])[0].ready
