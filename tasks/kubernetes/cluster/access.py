"""Which rights a flow needs on a cluster, and which of them we have."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes_asyncio.client import AuthorizationV1Api

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, explained
from tasks.kubernetes.client.requests import ask

FLOWS = "trialflow-flows"
"""The name of the Role, the ClusterRole and the service account of flows."""


@dataclass(frozen=True)
class Right:
    """One verb on one resource; `resource` may name a subresource (`pods/log`). `is_needed` is false for what flows can do without."""

    group: str
    resource: str
    verb: str
    in_namespace: bool = True
    is_needed: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


def _rights(group: str, resource: str, verbs: str, **facts: bool) -> list[Right]:
    return [Right(group, resource, verb, **facts) for verb in verbs.split()]


RIGHTS: Sequence[Right] = (
    *_rights("batch", "jobs", "create get list watch delete deletecollection"),
    *_rights("", "pods", "get list watch delete"),
    *_rights("", "pods/log", "get"),
    *_rights("", "configmaps", "create get update delete"),
    *_rights("", "secrets", "create get update delete"),
    *_rights("", "configmaps", "list", is_needed=False),
    *_rights("", "serviceaccounts", "get", is_needed=False),
    *_rights("", "events", "list", is_needed=False),
    *_rights("", "nodes", "get list", in_namespace=False, is_needed=False),
)
"""What flows do on a cluster. Events and nodes only make what is told better: why something is pending, and whether a node is gone; to list
ConfigMaps is for `trialflow cluster clean` alone, to get service accounts for saying at once that the one of training runs is missing."""


async def require_rights(connection: Connection) -> None:
    """Raise `ClusterRefused`, with what to ask an administrator for, if a right that flows need is missing.

    One request where the API server can tell all rights at once; where it cannot, or one seems to be missing, each is asked for by itself.
    """
    needed = [right for right in RIGHTS if right.is_needed]
    granted = await own_rules(connection, what="ask which rights there are")
    if all(is_covered(right, granted) for right in needed):
        return
    if missing := await missing_rights(connection, needed):
        raise ClusterRefused(
            f"training runs cannot be executed in namespace {connection.namespace}: these rights are missing: {', '.join(map(str, missing))}",
            hint=f"ask an administrator for this Role, bound to you:\n{role_for(missing, connection.namespace)}",
        )


async def own_rules(connection: Connection, *, what: str) -> list[Mapping[str, Any]]:
    """The rules that give us rights in the connection's namespace, as far as the API server can tell them. `what` completes "could not ..."."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": connection.namespace}}
    review = await ask(connection, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", what=what, body=body)
    return (review.get("status") or {}).get("resourceRules") or []


def is_covered(right: Right, granted: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the rules of a SelfSubjectRulesReview gives the right for objects of any name."""

    def has(rule: Mapping[str, Any], field: str, wanted: str) -> bool:
        return bool({wanted, "*"} & set(rule.get(field) or []))

    return any(
        has(rule, "verbs", right.verb)
        and has(rule, "apiGroups", right.group)
        and has(rule, "resources", right.resource)
        and not rule.get("resourceNames")
        for rule in granted
    )


async def missing_rights(connection: Connection, rights: Sequence[Right] = RIGHTS) -> list[Right]:
    """Those of `rights` that we do not have in the connection's namespace, in order. One request each, all at once."""
    allowed = await asyncio.gather(*(_is_allowed(connection, right) for right in rights))
    return [right for right, is_allowed in zip(rights, allowed, strict=True) if not is_allowed]


async def _is_allowed(connection: Connection, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    asked = {"group": right.group, "resource": resource, "verb": right.verb}
    if subresource:
        asked["subresource"] = subresource
    if right.in_namespace:
        asked["namespace"] = connection.namespace
    body: Any = {"spec": {"resourceAttributes": asked}}
    async with explained("ask which rights there are", server=connection.server):
        review = await AuthorizationV1Api(connection.api).create_self_subject_access_review(body)
    return bool(review.status.allowed)


def rules(rights: Iterable[Right]) -> list[dict[str, list[str]]]:
    """RBAC rules that give `rights`: one for each resource, in the order of first mention."""
    found: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        found.setdefault((right.group, right.resource), []).append(right.verb)
    return [{"apiGroups": [group], "resources": [resource], "verbs": verbs} for (group, resource), verbs in found.items()]


def role_for(missing: Sequence[Right], namespace: str) -> str:
    """The manifests, as YAML, of the Role and ClusterRole that give what is missing: what to ask an administrator for. Empty if nothing is."""
    import yaml

    manifests = []
    if inside := [right for right in missing if right.in_namespace]:
        manifests.append(role(inside, namespace))
    if outside := [right for right in missing if not right.in_namespace]:
        manifests.append(role(outside, None))
    return yaml.safe_dump_all(manifests, sort_keys=False, default_flow_style=None, width=120) if manifests else ""


def role(rights: Iterable[Right], namespace: str | None) -> dict:
    """The manifest of a Role in `namespace`, or of a ClusterRole if None, that gives `rights`."""
    metadata = {"name": FLOWS, "namespace": namespace} if namespace else {"name": FLOWS}
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules(rights)}
