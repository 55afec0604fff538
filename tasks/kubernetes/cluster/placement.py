"""Which nodes a pod may go to, by its tolerations, node selector and required node affinity. Pure; the rules are the scheduler's.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ and taint-and-toleration/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.kubernetes.cluster.nodes import Node

Json = Mapping[str, Any]
KEEPING_AWAY = ("NoSchedule", "NoExecute")
PASSING = "node.kubernetes.io/"
"""Taints of this kind tell a state (not ready, out of memory, cordoned) that passes; what a node is for they do not tell."""


def obstacle(node: Node, spec: Json) -> str | None:
    """Why a pod with this `spec` may never go to the node, in words that follow the node's name; None if it may when the node is in order."""
    for taint in node.taints:
        if _keeps_away(taint) and not any(tolerates(one, taint) for one in spec.get("tolerations") or ()):
            return f"is tainted {taint.get('key')}"
    for name, value in (spec.get("nodeSelector") or {}).items():
        if node.labels.get(name) != str(value):
            return f"is not labelled {name}={value}"
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if affinity and not any(_matches(node, term) for term in affinity.get("nodeSelectorTerms") or ()):
        return f"is of group {node.group}" if node.group in ("system", "gpu") else "is excluded by node affinity"
    return None


def tolerates(toleration: Json, taint: Json) -> bool:
    """Whether a toleration is for this taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")


def _keeps_away(taint: Json) -> bool:
    return taint.get("effect") in KEEPING_AWAY and not str(taint.get("key")).startswith(PASSING)


def _matches(node: Node, term: Json) -> bool:
    """Whether a node fulfils all of a term's requirements. One without any matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    facts = {"metadata.name": node.name}
    return all(_fulfils(node.labels, one) for one in expressions) and all(_fulfils(facts, one) for one in fields)


def _fulfils(labels: Mapping[str, str], requirement: Json) -> bool:
    value, operator = labels.get(requirement.get("key", "")), requirement.get("operator")
    wanted: Sequence[str] = [str(one) for one in requirement.get("values") or ()]
    if operator == "In":
        return value is not None and value in wanted
    if operator == "NotIn":
        return value is None or value not in wanted
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    try:
        has, bound = int(value or ""), int(wanted[0])
    except (ValueError, IndexError):
        return False
    return has > bound if operator == "Gt" else operator == "Lt" and has < bound
