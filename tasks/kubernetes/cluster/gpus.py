"""GPUs of a cluster: which nodes offer theirs, which have some that nobody offers, and NVIDIA's device plugin, which does."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.kubernetes.client.labels import MANAGED_BY, TRIALFLOW
from tasks.kubernetes.cluster.nodes import Node
from trialflow.specs.resources import GPU

PLUGIN = "nvidia-device-plugin"
PLUGIN_IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"
"""The version that has been chosen; another is a change of this line."""
SOCKETS = "/var/lib/kubelet/device-plugins"
"""Where the kubelet of a node listens for device plugins: https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/"""
LINUX = {"kubernetes.io/os": "linux"}
MARKS = ("nvidia.com/gpu.present", "feature.node.kubernetes.io/pci-10de.present", "cloud.google.com/gke-accelerator", "k8s.amazonaws.com/accelerator")
"""Labels of nodes with NVIDIA GPUs: NVIDIA's own, that of node feature discovery (0x10de is NVIDIA's PCI id), those of Google and Amazon."""
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
GPU_INSTANCES = re.compile(r"(p[2-6][a-z]*|g[3-6][a-z]*)\.\S+|(a2|a3|a4|g2)-\S+|Standard_N[CDV]\S*")
"""Types of machines with NVIDIA GPUs at Amazon, Google and Microsoft; g4ad has AMD's and g5g's are NVIDIA's on ARM."""


@dataclass(frozen=True)
class GpuSupport:
    """How many GPUs are offered by how many nodes, and the nodes that have `idle` ones: nothing offers them to pods."""

    count: int
    nodes: int
    idle: tuple[str, ...] = ()

    @property
    def is_offered(self) -> bool:
        """Whether any node offers a GPU."""
        return self.count > 0

    def __str__(self) -> str:
        if not self.idle:
            return f"{self.count} GPUs on {self.nodes} nodes" if self.count else "no node offers a GPU"
        told = ", ".join(self.idle[:3]) + (", ..." if len(self.idle) > 3 else "")
        return f"{told} {'has' if len(self.idle) == 1 else 'have'} GPUs that no device plugin offers to pods"


def gpu_support(nodes: Iterable[Node]) -> GpuSupport:
    """What the nodes offer, and what they seem to have besides."""
    listed = list(nodes)
    counts = {node.name: int(node.allocatable.get(GPU, 0)) for node in listed}
    idle = tuple(node.name for node in listed if not counts[node.name] and seems_to_have_gpu(node))
    return GpuSupport(sum(counts.values()), sum(count > 0 for count in counts.values()), idle)


def seems_to_have_gpu(node: Node) -> bool:
    """Whether labels, taints or the type of its machine say that a node has an NVIDIA GPU."""
    kind = node.labels.get(INSTANCE_TYPE, "")
    return (
        node.group == "gpu"
        or any(node.labels.get(mark) not in (None, "", "false") for mark in MARKS)
        or any(taint.get("key") == GPU for taint in node.taints)
        or (GPU_INSTANCES.fullmatch(kind) is not None and not kind.startswith("g4ad."))
    )


def device_plugin(nodes: Mapping[str, str] = LINUX) -> dict[str, Any]:
    """The manifest of a DaemonSet that offers the GPUs of every node that has some, of those with the labels `nodes`. Elsewhere it does nothing.

    The nodes need NVIDIA's driver, and a container runtime that is set up for it: cloud images for GPUs come with both.
    """
    container = {
        "name": PLUGIN,
        "image": PLUGIN_IMAGE,
        "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "sockets", "mountPath": SOCKETS}],
    }
    spec = {
        "priorityClassName": "system-node-critical",
        "automountServiceAccountToken": False,
        "nodeSelector": dict(nodes),
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
        "volumes": [{"name": "sockets", "hostPath": {"path": SOCKETS, "type": "DirectoryOrCreate"}}],
    }
    labels = {"app": PLUGIN}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": PLUGIN, "namespace": "kube-system", "labels": {MANAGED_BY: TRIALFLOW}},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
