"""The plan between what is wanted and what exists: what is made, kept or deleted, and what it costs.

Pure; the same data for people, tests and flows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.aws.design import ADDONS, Design, Group
from tasks.aws.errors import together
from tasks.aws.inventory import Inventory
from tasks.aws.network import expected_network
from tasks.aws.node_groups import expected_groups
from tasks.aws.pod_identity import expected_identities
from tasks.aws.prices import ADDRESS, CONTROL_PLANE, EXTENDED_CONTROL_PLANE, HOURS_A_MONTH, NAT_GATEWAY
from tasks.aws.roles import expected_roles
from trialflow.errors import InvalidInput, LimitReached

Action = Literal["create", "change", "keep", "delete"]


@dataclass(frozen=True)
class Change:
    """What becomes of one resource; `detail` says what of it is changed."""

    action: Action
    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True)
class Cost:
    """Dollars an hour: with no training run (`idle`), and with all nodes running (`most`). None where a price is not known.

    Traffic and, for private nodes, what goes through the NAT gateway come on top.
    """

    idle: float | None
    most: float | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that will be done to a cluster, in order, and its cost afterwards."""

    cluster: str
    region: str
    changes: tuple[Change, ...]
    cost: Cost | None = None
    warnings: tuple[str, ...] = ()

    def of(self, action: Action) -> list[Change]:
        """The changes of one kind."""
        return [one for one in self.changes if one.action == action]

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        cost = {"idle_per_hour": self.cost.idle, "most_per_hour": self.cost.most, "unknown": list(self.cost.unknown)} if self.cost else None
        changes = [{"action": one.action, "kind": one.kind, "name": one.name, "detail": one.detail} for one in self.changes]
        return {"cluster": self.cluster, "region": self.region, "changes": changes, "cost": cost, "warnings": list(self.warnings)}


def expected(design: Design, model_account: str) -> list[tuple[str, str]]:
    """Every resource of the design, in the order in which it is made."""
    found = [*expected_network(design), *expected_roles(design), ("cluster", design.name), ("access entry", design.principal)]
    found += [("add-on", one) for one in ADDONS]
    found += expected_groups(design)
    return [*found, ("add-on", "coredns"), *expected_identities(design, model_account)]


def plan_creation(design: Design, found: Inventory, model_account: str, *, limit: float | None = None) -> Plan:
    """What `cluster create` does. Raises `InvalidInput` if what exists is not what the file says, `LimitReached` if it may cost too much."""
    _refuse_differences(design, found)
    changes = [Change("keep" if found.has(kind, name) else "create", kind, name) for kind, name in expected(design, model_account)]
    cost = cost_of(design)
    check_cost(design.name, cost, limit)
    return Plan(design.name, design.region, tuple(changes), cost, design.warnings)


def plan_destruction(name: str, region: str, found: Inventory) -> Plan:
    """What `cluster destroy` does: everything that was found goes, in the reverse order of its making."""
    return Plan(name, region, tuple(Change("delete", kind, one) for kind, one in reversed(found.resources)))


def cost_of(design: Design) -> Cost:
    """What the cluster costs an hour."""
    fixed = EXTENDED_CONTROL_PLANE if design.is_extended else CONTROL_PLANE
    fixed += NAT_GATEWAY + ADDRESS if design.has_private_nodes else 0.0
    unknown = tuple(dict.fromkeys(one.instance_type for one in design.groups if one.price is None))
    idle = _sum(fixed, ((one.low, one) for one in design.groups))
    return Cost(idle, _sum(fixed, ((one.high, one) for one in design.groups)), unknown)


def check_cost(name: str, cost: Cost, limit: float | None) -> None:
    """Raise `LimitReached` if the cluster could cost more than `limit` dollars an hour, or nobody knows."""
    if limit is not None and (cost.most is None or cost.most > limit):
        said = f"could cost ${cost.most:.2f} an hour" if cost.most is not None else f"has machines without a known price ({', '.join(cost.unknown)})"
        raise LimitReached(f"cluster {name} {said}, and max_cost_per_hour is {limit:g}", hint="lower max_nodes, or raise max_cost_per_hour")


def _sum(fixed: float, nodes: Iterable[tuple[int, Group]]) -> float | None:
    total = fixed
    for count, group in nodes:
        if count and group.price is None:
            return None
        total += count * (group.price or 0.0)
    return total


def _refuse_differences(design: Design, found: Inventory) -> None:
    """A cluster that exists and differs is not made again: that would be another operation, with other consequences."""
    cluster = found.cluster
    if cluster is None:
        return
    wrong = []
    if cluster.get("version") != design.version:
        wrong.append(f"it runs Kubernetes {cluster.get('version')}, cluster.yml comes to {design.version}")
    wanted = {one.name: one for one in design.groups}
    for name, group in (found.groups or {}).items():
        if name not in wanted:
            wrong.append(f"it has a node group {name}, which cluster.yml does not ask for")
            continue
        sizes = group.get("scalingConfig") or {}
        if (sizes.get("minSize"), sizes.get("maxSize")) != (wanted[name].low, wanted[name].high):
            wrong.append(
                f"node group {name} has {sizes.get('minSize')} to {sizes.get('maxSize')} nodes, not {wanted[name].low} to {wanted[name].high}"
            )
    if wrong:
        raise InvalidInput(together(f"cluster {design.name} exists and is not what cluster.yml says", wrong), hint=DIFFERENT)


DIFFERENT = "`trialflow cluster update` changes what can be changed in place, and says what cannot"


def lines(plan: Plan) -> Sequence[str]:
    """The plan for people."""
    verbs = {"create": "+", "change": "~", "keep": " ", "delete": "-"}
    shown = [f"{verbs[one.action]} {one.kind} {one.name}" + _detail(one) for one in plan.changes]
    if plan.cost:
        idle, most = (f"${one:.2f} an hour (about ${one * HOURS_A_MONTH:,.0f} a month)" if one is not None else "unknown" for one in _both(plan.cost))
        shown += [f"cost without training runs: {idle}", f"cost with all nodes running: {most}, traffic not counted"]
        if plan.cost.unknown:
            shown.append(f"the price of {', '.join(plan.cost.unknown)} is not known")
    return shown


def _detail(one: Change) -> str:
    return " (exists)" if one.action == "keep" else f": {one.detail}" if one.detail else ""


def _both(cost: Cost) -> tuple[float | None, float | None]:
    return cost.idle, cost.most
