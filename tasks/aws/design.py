"""What a cluster.yml and the facts of a region come to: every resource of the cluster, by name. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from tasks.aws.errors import together
from tasks.aws.facts import Facts, Machine, Version, quota_code
from tasks.aws.names import short_hash
from trialflow.errors import InvalidInput
from trialflow.specs import ClusterSpec
from trialflow.specs.cluster import NodeGroup, SystemGroup

MOST_ZONES = 3
MOST_POLICIES = 6
"""IAM allows 10 policies for a role, and nodes need three; one more is left for whoever runs the account."""
LEAST_SUPPORT = timedelta(days=90)
POOL_LABELS = ("trialflow.dev/node-group", "orchestrate.sigopt.com/node-group-type")
GPU_TAINT = "nvidia.com/gpu"
ADDONS = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
"""What nodes need before they can join. `coredns` comes after the first node: it has to run somewhere."""
Pool = Literal["system", "cpu", "gpu"]


@dataclass(frozen=True)
class Group:
    """A managed node group. Its name ends with a hash of what EKS cannot change in a group that exists."""

    pool: Pool
    instance_type: str
    low: int
    high: int
    volume: int
    is_spot: bool
    architecture: str
    accelerator: str | None
    zones: frozenset[str]
    price: float | None
    alternatives: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`cpu-1a2b3c4d`."""
        return f"{self.pool}-{short_hash(self.instance_type, self.volume, self.is_spot, self.architecture, *self.alternatives)}"

    @property
    def ami_type(self) -> str:
        """The kind of image that its machines start from."""
        arm = self.architecture == "arm64"
        if self.accelerator:
            return "AL2023_ARM_64_NVIDIA" if arm else "AL2023_x86_64_NVIDIA"
        return "AL2023_ARM_64_STANDARD" if arm else "AL2023_x86_64_STANDARD"

    @property
    def labels(self) -> dict[str, str]:
        """What tells training runs and the autoscaler what its nodes are for."""
        labels = dict.fromkeys(POOL_LABELS, self.pool)
        return labels | ({"k8s.amazonaws.com/accelerator": self.accelerator} if self.accelerator and self.pool == "gpu" else {})

    @property
    def taints(self) -> list[dict[str, str]]:
        """What keeps other pods away. Each has a value: the autoscaler drops a taint that has none."""
        if self.pool == "system":
            return [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}]
        return [{"key": GPU_TAINT, "value": "present", "effect": "NO_SCHEDULE"}] if self.pool == "gpu" else []


@dataclass(frozen=True)
class Design:
    """Everything that `cluster create` makes. `subnets` are existing ones, id -> zone; without any a network is made in `zones`."""

    name: str
    region: str
    account: str
    partition: str
    principal: str
    version: str
    zones: tuple[str, ...]
    groups: tuple[Group, ...]
    policies: tuple[str, ...] = ()
    subnets: Mapping[str, str] = field(default_factory=dict)
    has_private_nodes: bool = False
    namespace: str = "orchestrate"
    is_extended: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def system(self) -> Group:
        """The group for the cluster's own programs."""
        return next(one for one in self.groups if one.pool == "system")


def design_of(spec: ClusterSpec, facts: Facts, *, today: date) -> Design:
    """The design. Raises `InvalidInput` with everything that cannot be made, before anything is."""
    version, wrong = chosen_version(spec.kubernetes_version, facts.versions, today)
    problems = [*wrong, *_problems(spec, facts)]
    if problems:
        raise InvalidInput(
            together(f"cluster {spec.cluster_name} cannot be made as cluster.yml says", problems), hint="nothing was made; change cluster.yml"
        )
    assert version is not None
    zones = tuple(sorted(set(facts.subnets.values()))) or _best_zones(spec, facts)
    system = spec.system or SystemGroup()
    has_address = not spec.private_nodes and not spec.subnets
    groups = [_group("system", system, facts, zones, has_address)]
    groups += [_group("cpu", one, facts, zones, has_address) for one in spec.cpu_groups]
    groups += [_group("gpu", one, facts, zones, has_address) for one in spec.gpu_groups]
    return Design(
        name=spec.cluster_name,
        region=facts.region,
        account=facts.account,
        partition=facts.partition,
        principal=facts.principal,
        version=version.name,
        zones=zones,
        groups=tuple(groups),
        policies=tuple(dict.fromkeys(spec.aws.additional_policies)) if spec.aws else (),
        subnets=dict(facts.subnets),
        has_private_nodes=bool(spec.private_nodes),
        namespace=spec.namespace or "orchestrate",
        is_extended=not version.is_standard,
        warnings=(*_warnings(spec, facts, version, today), *facts.denied),
    )


def chosen_version(wanted: str | None, versions: tuple[Version, ...], today: date) -> tuple[Version | None, list[str]]:
    """The version to make, and what is wrong with the wanted one. By default the newest that has 90 days of standard support left."""
    known = sorted((one for one in versions if one.is_supported), key=lambda one: minor(one.name))
    listed = ", ".join(one.name for one in known)
    if wanted and wanted != "latest":
        found = next((one for one in known if one.name == wanted), None)
        return found, [] if found else [f"kubernetes_version {wanted} is not one that EKS makes ({listed})"]
    standard = [one for one in known if one.is_standard]
    lasting = [one for one in standard if one.end is None or one.end - today >= LEAST_SUPPORT]
    best = next((one for one in lasting if one.is_default), None) or (lasting or standard or [None])[-1]
    return best, [] if best else [f"EKS has no version in standard support (it has {listed})"]


def minor(version: str) -> tuple[int, ...]:
    """The numbers in a version, to compare by."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _problems(spec: ClusterSpec, facts: Facts) -> Iterator[str]:
    system = spec.system or SystemGroup()
    pools: dict[Pool, Sequence[SystemGroup]] = {"system": [system], "cpu": spec.cpu_groups, "gpu": spec.gpu_groups}
    everything = [(pool, group) for pool, groups in pools.items() for group in groups]
    zones = set(facts.subnets.values()) or set(facts.zones)
    if facts.missing:
        yield f"{facts.principal} may not do {', '.join(facts.missing)} (docs/aws.md has a policy to paste)"
    yield from facts.full
    if len(zones) < 2:
        yield f"EKS needs subnets in two zones, and there are only {', '.join(sorted(zones)) or 'none'}"
    if len(facts.vpcs) > 1:
        yield f"the subnets belong to several VPCs: {', '.join(sorted(facts.vpcs))}"
    needed: dict[str, float] = {}
    for pool, group in everything:
        machine = facts.machines.get(group.instance_type)
        if machine is None:
            yield f"{pool}: instance type {group.instance_type} is not sold in {facts.region}"
            continue
        if not machine.zones & zones:
            yield f"{pool}: no usable zone of {facts.region} has {group.instance_type}"
        if pool == "gpu" and not machine.gpus:
            yield f"gpu: {machine.name} has no NVIDIA GPU" + (f" but {machine.other_accelerator}" if machine.other_accelerator else "")
        if isinstance(group, NodeGroup):
            yield from _alternative_problems(pool, machine, group, facts)
            code = quota_code(machine, spot=group.spot)
            needed[code] = needed.get(code, 0) + machine.vcpus * group.max_nodes
    for code, vcpus in needed.items():
        allowed = facts.quotas.get(code)
        if allowed is not None and vcpus > allowed:
            yield f"all nodes together have {vcpus:.0f} vCPUs and the account may run {allowed:.0f} of their kind (Service Quotas, ec2, {code})"
    wanted = spec.aws.additional_policies if spec.aws else []
    for policy in wanted:
        if policy not in facts.policies:
            yield f"aws.additional_policies: there is no policy {policy}"
    if len(set(wanted)) > MOST_POLICIES:
        yield f"aws.additional_policies: {len(set(wanted))} policies, and a role has room for {MOST_POLICIES} more"


def _alternative_problems(pool: str, machine: Machine, group: NodeGroup, facts: Facts) -> Iterator[str]:
    for name in group.alternative_types:
        other = facts.machines.get(name)
        if other is None:
            yield f"{pool}: instance type {name} is not sold in {facts.region}"
        elif not other.is_like(machine):
            yield f"{pool}: {name} is not of the size of {machine.name} (CPUs, memory, GPUs, architecture), and cannot be an alternative to it"


def _warnings(spec: ClusterSpec, facts: Facts, version: Version, today: date) -> Iterator[str]:
    if not version.is_standard:
        yield f"Kubernetes {version.name} is in extended support: the control plane costs six times as much"
    elif version.end and version.end - today < LEAST_SUPPORT:
        yield f"standard support of Kubernetes {version.name} ends on {version.end}"
    for one in spec.cpu_groups:
        if (machine := facts.machines[one.instance_type]).gpus:
            yield f"cpu: {machine.name} has GPUs, which training runs without GPUs will hold; is it meant for `gpu`?"
    if arm := [one.instance_type for one in (*spec.cpu_groups, *spec.gpu_groups) if facts.machines[one.instance_type].architecture == "arm64"]:
        yield f"{', '.join(arm)} need images for arm64"


def _best_zones(spec: ClusterSpec, facts: Facts) -> tuple[str, ...]:
    """Three zones at most: each in turn the one that sells most of the types that no chosen one sells, then most of all types."""
    types = [one.instance_type for one in (*spec.cpu_groups, *spec.gpu_groups)]
    chosen: list[str] = []
    while len(chosen) < min(MOST_ZONES, len(facts.zones)):
        left = [one for one in types if not facts.machines[one].zones & set(chosen)]

        def rank(zone: str, left: list[str] = left) -> tuple[int, int, str]:
            return -sum(zone in facts.machines[one].zones for one in left), -sum(zone in facts.machines[one].zones for one in types), zone

        chosen.append(min((zone for zone in facts.zones if zone not in chosen), key=rank))
    return tuple(sorted(chosen))


def _group(pool: Pool, group: SystemGroup, facts: Facts, zones: tuple[str, ...], has_address: bool) -> Group:
    machine: Machine = facts.machines[group.instance_type]
    others = tuple(group.alternative_types) if isinstance(group, NodeGroup) else ()
    prices = [facts.prices.node(name, group.node_volume_size, has_address=has_address) for name in (machine.name, *others)]
    return Group(
        pool=pool,
        instance_type=machine.name,
        low=group.min_nodes,
        high=group.max_nodes,
        volume=group.node_volume_size,
        is_spot=isinstance(group, NodeGroup) and group.spot,
        architecture=machine.architecture,
        accelerator=machine.accelerator,
        zones=machine.zones.intersection(zones, *(facts.machines[name].zones for name in others)),
        price=None if None in prices else max(one for one in prices if one is not None),
        alternatives=others,
    )
