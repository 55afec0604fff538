"""What trialflow needs on a cluster before anything runs there: a namespace, two service accounts, and the rights of one of them.

Each thing is looked for first, then made or put right; so it can be done again at any time, by several at once, and goes on after a crash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.kubernetes.client.cluster import MODEL_ACCOUNT
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import MANAGED_BY, TRIALFLOW
from tasks.kubernetes.client.objects import ask
from tasks.kubernetes.cluster.access import FLOWS, RIGHTS, Right, role, role_for

Outcome = Literal["made", "was there", "put right", "not allowed"]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


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
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": MODEL_ACCOUNT, "namespace": namespace},
            "automountServiceAccountToken": False,
        },
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
        manifest["metadata"]["labels"] = {MANAGED_BY: TRIALFLOW}
    return made


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
    fields = ("rules", "subjects", "automountServiceAccountToken")
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
    if not patch:
        return "was there"
    await ask(connection, "PATCH", f"{path}/{name}", what=f"change {kind} {name}", body=patch)
    return "put right"


def _is_same(found: Any, wanted: Any) -> bool:
    """Whether what was found says what is wanted; the API server may have added fields (`apiGroup: ""` in subjects)."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_is_same(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_is_same, found, wanted))
    return found == wanted
