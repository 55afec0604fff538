"""What `cluster update` does: what exists, and what cluster.yml asks for, compared. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.aws.control_plane import lasts_too_long
from tasks.aws.design import Design, minor
from tasks.aws.errors import together
from tasks.aws.inventory import Inventory
from tasks.aws.names import resource_name, role_name
from tasks.aws.plan import Change, Plan, check_cost, cost_of, expected
from tasks.aws.roles import MANAGED, role_kinds
from trialflow.errors import InvalidInput

RETIRED = {"key": "trialflow.dev/retired", "value": "true", "effect": "NO_SCHEDULE"}
"""The taint of a group that cluster.yml no longer has while training runs are still on it."""
GOING_ON = ("ACTIVE", "UPDATING")


@dataclass(frozen=True)
class Present:
    """What exists besides the inventory: machines that run by group, attached policies by kind of role, and for each add-on its version and EKS's.

    `obstacles` are what EKS says stands in the way of the next version of Kubernetes.
    """

    machines: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    addons: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    obstacles: tuple[str, ...] = ()


def plan_update(design: Design, found: Inventory, present: Present, model_account: str, *, limit: float | None) -> Plan:
    """The plan. Raises `InvalidInput` with everything that cannot be changed, and why."""
    cluster, groups = found.cluster, found.groups or {}
    if cluster is None:
        raise InvalidInput(f"there is no cluster {design.name} in {design.region}", hint="`trialflow cluster create` makes it")
    if refused := [*_refused(design, cluster, present), *_too_small(design, present)]:
        raise InvalidInput(together(f"cluster {design.name} cannot be changed so", refused), hint="nothing was changed")
    told: dict[tuple[str, str], str] = {}
    if cluster.get("version") != design.version:
        told["cluster", design.name] = f"from Kubernetes {cluster.get('version')} to {design.version}"
    elif lasts_too_long(cluster, design):
        told["cluster", design.name] = "from extended to standard support"
    for group in design.groups:
        if group.name in groups and (details := [*_group_changes(design, groups[group.name], group)]):
            told["node group", group.name] = ", ".join(details)
    for name, (has, recommended) in present.addons.items():
        if is_newer(recommended, has):
            told["add-on", name] = f"from {has} to {recommended}"
    for kind in role_kinds(design):
        if details := _role_changes(design, kind, present):
            told["role", role_name(design.name, kind, design.region)] = details
    changes = []
    for kind, name in expected(design, model_account):
        action = "create" if not found.has(kind, name) else "change" if (kind, name) in told else "keep"
        changes.append(Change(action, kind, name, told.get((kind, name), "") if action == "change" else ""))
    changes += _removals(design, found, present, model_account)
    cost = cost_of(design)
    check_cost(design.name, cost, limit)
    return Plan(design.name, design.region, tuple(changes), cost, design.warnings)


def sizes_of(group: Mapping[str, Any]) -> tuple[int, int]:
    """The smallest and the largest number of nodes that a group may have."""
    sizes = group.get("scalingConfig") or {}
    return sizes.get("minSize", 0), sizes.get("maxSize", 0)


def is_retired(group: Mapping[str, Any]) -> bool:
    """Whether a group takes no new training runs any more."""
    return any(one.get("key") == RETIRED["key"] for one in group.get("taints") or [])


def is_newer(one: str, other: str) -> bool:
    """Whether an add-on's version, such as `v1.18.3-eksbuild.2`, comes after another."""
    return minor(one) > minor(other)


def removable_policies(design: Design, present: Present) -> list[str]:
    """The policies that cluster.yml no longer has, of those we gave: the role of training runs is the record. What else the nodes have stays."""
    return sorted(set(present.policies.get("model", ())) - set(design.policies))


def _group_changes(design: Design, group: Mapping[str, Any], wanted: Any) -> Iterable[str]:
    if group.get("version") not in (None, design.version):
        yield f"machines of Kubernetes {group['version']} are replaced by those of {design.version}; training runs on them are launched again"
    if sizes_of(group) != (wanted.low, wanted.high):
        low, high = sizes_of(group)
        yield f"from {low} to {high} nodes, to {wanted.low} to {wanted.high}"
    if is_retired(group):
        yield "takes training runs again"


def _role_changes(design: Design, kind: str, present: Present) -> str:
    if kind not in ("nodes", "model"):
        return ""
    attached = set(present.policies.get(kind, ()))
    gets = {one for one in design.policies if one not in attached}
    names = {one.rpartition("/")[2] for one in attached}
    gets |= {one for one in MANAGED[kind] if one not in names}
    loses = [one for one in removable_policies(design, present) if one in attached]
    return "; ".join(text for text in (f"gets {', '.join(sorted(gets))}" if gets else "", f"loses {', '.join(loses)}" if loses else "") if text)


def _removals(design: Design, found: Inventory, present: Present, model_account: str) -> list[Change]:
    """Groups that are idle go; those with machines take no new training runs, and go with the same command later."""
    wanted = {one.name for one in design.groups}
    gone: list[Change] = []
    for name, group in (found.groups or {}).items():
        if name in wanted:
            continue
        if present.machines.get(name) and not name.startswith("system-"):
            detail = f"{present.machines[name]} machines run: it takes no new training runs, and the same command deletes it once it is idle"
            gone.append(Change("keep" if is_retired(group) else "change", "node group", name, detail))
        else:
            gone += [Change("delete", "node group", name), Change("delete", "launch template", resource_name(design.name, name))]
    model = role_name(design.name, "model", design.region)
    if not design.policies and found.has("role", model):
        identity = f"{design.namespace}/{model_account}"
        gone += [Change("delete", "pod identity", identity)] if found.has("pod identity", identity) else []
        gone.append(Change("delete", "role", model))
    return gone


def _refused(design: Design, cluster: Mapping[str, Any], present: Present) -> Iterable[str]:
    if cluster.get("status") not in GOING_ON:
        yield f"it is {str(cluster.get('status')).lower()}; wait until it is active"
    has, wanted = minor(str(cluster.get("version"))), minor(design.version)
    if wanted < has:
        yield f"it runs Kubernetes {cluster.get('version')}, and cannot go back to {design.version}"
    elif wanted > (has[0], has[1] + 1):
        following = f"{has[0]}.{has[1] + 1}"
        yield f"it runs Kubernetes {cluster.get('version')}, and goes up one version at a time: first to {following}, then to {design.version}"
    elif wanted > has:
        yield from present.obstacles
    network = cluster.get("resourcesVpcConfig") or {}
    if design.subnets and set(network.get("subnetIds", [])) != set(design.subnets):
        yield "its subnets are others: they cannot be changed, make a new cluster"


def _too_small(design: Design, present: Present) -> Iterable[str]:
    for group in design.groups:
        if (running := present.machines.get(group.name, 0)) > group.high:
            yield f"node group {group.name} runs {running} machines, and max_nodes {group.high} would end what runs on some; wait until fewer run"
