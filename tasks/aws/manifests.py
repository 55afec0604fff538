"""What runs on a cluster besides training runs: the autoscaler, and NVIDIA's device plugin where there are GPUs. Pure."""

from typing import Any

from tasks.aws.design import POOL_LABELS
from tasks.aws.pod_identity import AUTOSCALER
from tasks.kubernetes.client.labels import MANAGED_BY, TRIALFLOW
from tasks.kubernetes.cluster.gpus import device_plugin

Json = dict[str, Any]
SYSTEM, NAME = AUTOSCALER
AUTOSCALERS = {"1.32": "v1.32.7", "1.33": "v1.33.6", "1.34": "v1.34.5", "1.35": "v1.35.2", "1.36": "v1.36.1"}
"""The release of the autoscaler for each version of Kubernetes. It is built from the scheduler's own code, so they must match."""
AUTOSCALER_IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler"
RBAC = "rbac.authorization.k8s.io"
TOLERATES_SYSTEM = {"key": "CriticalAddonsOnly", "operator": "Exists"}
LOOK = ["get", "list", "watch"]


def autoscaler_release(version: str) -> str:
    """The release for this version of Kubernetes; for one that is newer than all known, the newest release."""
    known = sorted(AUTOSCALERS, key=lambda one: int(one.partition(".")[2]))
    fitting = [one for one in known if int(one.partition(".")[2]) <= int(version.partition(".")[2])]
    return AUTOSCALERS[(fitting or known[:1])[-1]]


def manifests(cluster: str, region: str, version: str, *, has_gpus: bool) -> list[Json]:
    """Everything, in the order in which it is made."""
    made = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": SYSTEM}},
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": _cluster_rules()},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": NAME, "namespace": SYSTEM}, "rules": _rules()},
        _binding("ClusterRoleBinding", "ClusterRole", {"name": NAME}),
        _binding("RoleBinding", "Role", {"name": NAME, "namespace": SYSTEM}),
        _autoscaler(cluster, region, autoscaler_release(version)),
        *([device_plugin({POOL_LABELS[0]: "gpu"})] if has_gpus else []),
    ]
    for manifest in made:
        manifest["metadata"]["labels"] = {MANAGED_BY: TRIALFLOW}
    return made


def _binding(kind: str, role: str, metadata: Json) -> Json:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": SYSTEM}],
    }


def _rule(group: str, resources: list[str], verbs: list[str], **more: Any) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **more}


def _cluster_rules() -> list[Json]:
    """What the autoscaler looks at to tell which pods would fit where, and what it changes."""
    return [
        _rule("", ["events", "endpoints"], ["create", "patch"]),
        _rule("", ["pods/eviction"], ["create"]),
        _rule("", ["pods/status"], ["update"]),
        _rule("", ["endpoints"], ["get", "update"], resourceNames=[NAME]),
        _rule("", ["nodes"], [*LOOK, "update"]),
        _rule("", ["namespaces", "pods", "services", "replicationcontrollers", "persistentvolumeclaims", "persistentvolumes"], LOOK),
        _rule("apps", ["statefulsets", "replicasets", "daemonsets"], LOOK),
        _rule("batch", ["jobs", "cronjobs"], LOOK),
        _rule("policy", ["poddisruptionbudgets"], LOOK),
        _rule("storage.k8s.io", ["storageclasses", "csinodes", "csidrivers", "csistoragecapacities", "volumeattachments"], LOOK),
        _rule("resource.k8s.io", ["deviceclasses", "resourceslices", "resourceclaims"], LOOK),
        _rule("coordination.k8s.io", ["leases"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "update"], resourceNames=[NAME]),
    ]


def _rules() -> list[Json]:
    return [
        _rule("", ["configmaps"], ["create", "list", "watch"]),
        _rule(
            "",
            ["configmaps"],
            ["delete", "get", "update", "watch"],
            resourceNames=["cluster-autoscaler-status", "cluster-autoscaler-priority-expander"],
        ),
        _rule("coordination.k8s.io", ["leases"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "update"], resourceNames=[NAME]),
    ]


def _autoscaler(cluster: str, region: str, release: str) -> Json:
    command = [
        "./cluster-autoscaler",
        "--cloud-provider=aws",
        f"--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster}",
        "--expander=least-waste",
        "--balance-similar-node-groups",
        "--skip-nodes-with-local-storage=false",
        "--scale-down-unneeded-time=10m",
    ]
    container = {
        "name": NAME,
        "image": f"{AUTOSCALER_IMAGE}:{release}",
        "command": command,
        # One hop to the metadata of the machine is too few for a pod: it cannot ask for the region.
        "env": [{"name": "AWS_REGION", "value": region}],
        "resources": {"requests": {"cpu": "100m", "memory": "600Mi"}, "limits": {"memory": "600Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": SYSTEM},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {
                    "serviceAccountName": NAME,
                    "priorityClassName": "system-cluster-critical",
                    "nodeSelector": {POOL_LABELS[0]: "system"},
                    "tolerations": [TOLERATES_SYSTEM],
                    "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container],
                },
            },
        },
    }
