"""What trialflow needs on a cluster before anything runs there: a namespace, two service accounts, the rights of one, and a network policy.

Each thing is looked for first, then made or put right; so it can be done again at any time, by several at once, and goes on after a crash.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.kubernetes.client.cluster import MODEL_ACCOUNT
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import MANAGED_BY, TRIALFLOW
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.cluster.access import FLOWS, RIGHTS, Right, role, role_for

POLICY = "trialflow-egress"
METADATA_ADDRESSES = ("169.254.169.254/32", "100.100.100.200/32"), ("fd00:ec2::254/128",)
"""Where machines of clouds ask for the credentials of the machine (Amazon, Google, Microsoft and others; Alibaba): by IPv4, and by IPv6."""
POD_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}
"""The label of namespaces that trialflow makes: https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
Action = Literal["make", "keep", "change", "unknown"]
Outcome = Literal["made", "was there", "put right", "not allowed"]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "DaemonSet": "/apis/apps/v1/namespaces/kube-system/daemonsets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


@dataclass(frozen=True)
class PlannedObject:
    """What would be done about one thing. `unknown`: this user may not look at it, so it is tried."""

    kind: str
    name: str
    action: Action

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.action}"


@dataclass(frozen=True)
class Installed:
    """What became of one thing. `why` is what the API server said if it was not allowed; `is_needed` is false for what flows can do without."""

    kind: str
    name: str
    outcome: Outcome
    is_needed: bool
    why: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.outcome}" + (f" ({self.why})" if self.why else "")


async def plan_installation(connection: Connection) -> list[PlannedObject]:
    """What `install` would do. Nothing is changed. Raises `ClusterError`."""
    return list(await asyncio.gather(*(plan_object(connection, one) for one in manifests(connection.namespace))))


async def plan_object(connection: Connection, manifest: Mapping[str, Any]) -> PlannedObject:
    """What `ensure` would do about one thing."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    try:
        found = await ask(connection, "GET", f"{PATHS[kind].format(namespace=connection.namespace)}/{name}", what=f"read {kind} {name}")
    except Missing:
        return PlannedObject(kind, name, "make")
    except ClusterRefused as error:
        if error.status != 403:
            raise
        return PlannedObject(kind, name, "unknown")
    return PlannedObject(kind, name, "change" if difference(found, manifest) else "keep")


async def install(connection: Connection) -> list[Installed]:
    """Have everything there, in order. What is not allowed is told in the result, not raised. Raises `ClusterError` for anything else."""
    made = []
    for manifest in manifests(connection.namespace):
        try:
            made.append(await ensure(connection, manifest))
        except Missing as error:
            raise ClusterRefused(
                f"the namespace {connection.namespace} does not exist, and could not be made: {made[0].why if made else error.message}",
                hint=f"ask an administrator for `kubectl create namespace {connection.namespace}`, or use another with `--namespace`",
            ) from error
    return made


async def has_model_account(connection: Connection) -> bool:
    """Whether the service account of training runs is there; taken to be if we may not look."""
    try:
        path = PATHS["ServiceAccount"].format(namespace=connection.namespace)
        await ask(connection, "GET", f"{path}/{MODEL_ACCOUNT}", what=f"read ServiceAccount {MODEL_ACCOUNT}")
    except Missing:
        return False
    except ClusterRefused as error:
        if error.status != 403:
            raise
    return True


def refuse_without(missing: Sequence[Right], installed: Sequence[Installed], namespace: str) -> None:
    """Raise `ClusterRefused` if training runs cannot do with what there is, with what to ask an administrator for.

    A namespace that we may not look at is there if something could be found or made in it.
    """
    needed = [right for right in missing if right.is_needed]
    if needed:
        raise ClusterRefused(
            f"could not set up namespace {namespace}: these rights are missing: {', '.join(map(str, needed))}",
            hint=f"ask an administrator for this Role, bound to you, or use another namespace with `--namespace`:\n{role_for(missing, namespace)}",
        )
    if any(one.outcome == "not allowed" and one.name == MODEL_ACCOUNT for one in installed):
        raise ClusterRefused(
            f"could not set up namespace {namespace}: its service account {MODEL_ACCOUNT}, which training runs need, may not be looked at or made",
            hint=f"ask an administrator for `kubectl --namespace {namespace} create serviceaccount {MODEL_ACCOUNT}` and connect with `--no-install`",
        )


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Everything that is installed, in the order in which it is made."""
    account = {"kind": "ServiceAccount", "name": FLOWS, "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    # Two namespaces of one cluster may have flows: the binding of the one must not take the other's place.
    across = f"{FLOWS}-{namespace}"
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": POD_SECURITY}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": MODEL_ACCOUNT, "namespace": namespace},
            "automountServiceAccountToken": False,
        },
        network_policy(namespace),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": FLOWS, "namespace": namespace}},
        role([right for right in RIGHTS if right.in_namespace], namespace),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": FLOWS, "namespace": namespace},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": FLOWS},
            "subjects": [account],
        },
        role([right for right in RIGHTS if not right.in_namespace], None),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": across},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": FLOWS},
            "subjects": [account],
        },
    ]
    for manifest in made:
        manifest["metadata"]["labels"] = {MANAGED_BY: TRIALFLOW, **manifest["metadata"].get("labels", {})}
    return made


def network_policy(namespace: str) -> dict[str, Any]:
    """The manifest that keeps models from the metadata address of the machine that they run on, where a node's own credentials are to be had.

    Anything else stays open to them. It has an effect only where the cluster's network enforces policies.
    """
    four, six = METADATA_ADDRESSES
    # Some networks do not count pods as addresses, so pods are named as well: the cluster's DNS is one.
    anywhere = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(four)}},
        {"ipBlock": {"cidr": "::/0", "except": list(six)}},
        {"namespaceSelector": {}},
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {MANAGED_BY: TRIALFLOW}}, "policyTypes": ["Egress"], "egress": [{"to": anywhere}]},
    }


async def ensure(connection: Connection, manifest: Mapping[str, Any]) -> Installed:
    """Have one thing there as `manifest` says."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    needed = is_needed(kind, name)
    try:
        return Installed(kind, name, await _ensure(connection, manifest), needed)
    except ClusterRefused as error:
        if error.status != 403:
            raise
        return Installed(kind, name, "not allowed", needed, error.message.partition("answered 403: ")[2])


def is_needed(kind: str, name: str) -> bool:
    """Whether training runs that a flow outside the cluster starts need this; the rest is for flows inside it, and for what is told of nodes."""
    return kind == "Namespace" or (kind, name) == ("ServiceAccount", MODEL_ACCOUNT)


def difference(found: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes `found` what `manifest` says, empty if it is that already. Labels and fields of others stay.

    Namespaces are never changed: they belong to whoever runs the cluster.
    """
    if manifest["kind"] == "Namespace":
        return {}
    fields = ("rules", "subjects", "automountServiceAccountToken", "spec")
    return {name: manifest[name] for name in fields if name in manifest and not _is_same(found.get(name), manifest[name])}


async def _ensure(connection: Connection, manifest: Mapping[str, Any]) -> Outcome:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    path = PATHS[kind].format(namespace=connection.namespace)
    try:
        found = await ask(connection, "GET", f"{path}/{name}", what=f"read {kind} {name}")
    except Missing:
        try:
            await ask(connection, "POST", path, what=f"create {kind} {name}", body=dict(manifest))
        except Exists:
            return "was there"  # another was quicker, with the same
        return "made"
    patch = difference(found, manifest)
    if not patch or (kind == "DaemonSet" and (found["metadata"].get("labels") or {}).get(MANAGED_BY) != TRIALFLOW):
        return "was there"  # as it should be, or somebody else's, who knows why it differs
    await ask(connection, "PATCH", f"{path}/{name}", what=f"change {kind} {name}", body=patch)
    return "put right"


def _is_same(found: Any, wanted: Any) -> bool:
    """Whether what was found says what is wanted; the API server may have added fields (`apiGroup: ""` in subjects)."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_is_same(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_is_same, found, wanted))
    return found == wanted
