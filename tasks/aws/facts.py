"""What is asked of AWS before anything is made: who we are, what the region sells, which versions and policies exist, how much is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from tasks.aws.errors import AwsError, AwsMissing, AwsRefused
from tasks.aws.prices import Prices, read_prices
from tasks.aws.rights import missing_rights
from tasks.aws.session import Aws, is_found
from trialflow.specs import ClusterSpec

UNFIT_ZONES = ("use1-az3", "usw1-az2", "cac1-az3")
"""The ids of zones in which EKS makes no clusters. Their letters differ from account to account."""
QUOTAS = {
    ("standard", False): "L-1216C47A",
    ("gpu", False): "L-DB2E81BA",
    ("p", False): "L-417A185B",
    ("standard", True): "L-34B43A08",
    ("gpu", True): "L-3819A6DF",
    ("p", True): "L-7212CCBC",
}
"""(family, spot) -> the quota of EC2 that says how many vCPUs may run."""


@dataclass(frozen=True)
class Machine:
    """An instance type as EC2 describes it. `zones` are the cluster's that sell it; `gpus` counts NVIDIA's alone; `memory` is in MiB."""

    name: str
    vcpus: int
    architecture: str
    gpus: int
    accelerator: str | None
    other_accelerator: str | None
    zones: frozenset[str]
    memory: int = 0

    def is_like(self, other: "Machine") -> bool:
        """Whether a training run finds the same on both: the autoscaler takes the machines of a group for all alike."""
        return self._size == other._size

    @property
    def _size(self) -> tuple[object, ...]:
        return self.vcpus, self.memory, self.architecture, self.gpus


@dataclass(frozen=True)
class Version:
    """A version of Kubernetes that EKS knows."""

    name: str
    is_default: bool
    is_standard: bool
    is_supported: bool
    end: date | None


@dataclass(frozen=True)
class Facts:
    """The answers. `quotas` are vCPUs by quota code, None where they may not be asked; `denied` are checks that could not be made.

    Only of a cluster that is still to be made: `missing` are rights that we lack, `full` the quotas that leave no room for it.
    """

    region: str
    account: str
    partition: str
    principal: str
    zones: tuple[str, ...]
    machines: Mapping[str, Machine]
    versions: tuple[Version, ...]
    policies: frozenset[str]
    quotas: Mapping[str, float | None]
    prices: Prices
    subnets: Mapping[str, str] = field(default_factory=dict)
    vpcs: frozenset[str] = frozenset()
    denied: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    full: tuple[str, ...] = ()


def quota_code(machine: Machine, *, spot: bool) -> str:
    """The quota that limits how many vCPUs of this type may run."""
    letter = machine.name[0]
    family = "p" if letter == "p" else "gpu" if letter == "g" or machine.name.startswith("vt") else "standard"
    return QUOTAS[family, spot]


def read_facts(aws: Aws, spec: ClusterSpec, *, is_new: bool = False) -> Facts:
    """Ask AWS for everything that the design of `spec` depends on. Nothing is made. Raises `AwsError`."""
    denied: list[str] = []
    groups = [*spec.cpu_groups, *spec.gpu_groups]
    principal = aws.principal
    types = sorted(
        {kind for one in groups for kind in (one.instance_type, *one.alternative_types)} | {spec.system.instance_type if spec.system else "t3.large"}
    )
    zones = _zones(aws)
    machines = _machines(aws, types, zones)
    codes = {quota_code(machines[one.instance_type], spot=one.spot) for one in groups if one.instance_type in machines}
    subnets = _subnets(aws, spec.subnets) if spec.subnets else []
    policies = spec.aws.additional_policies if spec.aws else []
    return Facts(
        region=aws.region,
        account=aws.account,
        partition=aws.partition,
        principal=principal,
        zones=zones,
        machines=machines,
        versions=read_versions(aws),
        policies=frozenset(one for one in policies if is_found(aws.iam.get_policy, PolicyArn=one)),
        quotas={code: _quota(aws, code, denied) for code in sorted(codes)},
        prices=read_prices(aws, types),
        subnets={one["SubnetId"]: one["AvailabilityZone"] for one in subnets},
        vpcs=frozenset(one["VpcId"] for one in subnets),
        missing=tuple(missing_rights(aws, spec.cluster_name, denied)) if is_new else (),
        full=tuple(_full(aws, spec, denied)) if is_new else (),
        denied=tuple(dict.fromkeys(denied)),
    )


def _zones(aws: Aws) -> tuple[str, ...]:
    filters = [{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    found = aws.ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    return tuple(sorted(one["ZoneName"] for one in found if one["ZoneId"] not in UNFIT_ZONES))


def _machines(aws: Aws, types: Iterable[str], zones: Iterable[str]) -> dict[str, Machine]:
    filters = [{"Name": "instance-type", "Values": list(types)}]
    offers = aws.ec2.every("describe_instance_type_offerings", "InstanceTypeOfferings", LocationType="availability-zone", Filters=filters)
    sold: dict[str, set[str]] = {}
    for one in offers:
        sold.setdefault(one["InstanceType"], set()).add(one["Location"])
    if not sold:
        return {}
    described = aws.ec2.every("describe_instance_types", "InstanceTypes", InstanceTypes=sorted(sold))
    return {one["InstanceType"]: _machine(one, frozenset(sold[one["InstanceType"]] & set(zones))) for one in described}


def _machine(facts: Mapping[str, Any], zones: frozenset[str]) -> Machine:
    gpus = facts.get("GpuInfo", {}).get("Gpus", [])
    ours = [one for one in gpus if one.get("Manufacturer") == "NVIDIA"]
    others = [f"{one.get('Manufacturer')} {one.get('Name')}" for one in gpus if one not in ours]
    if facts.get("NeuronInfo"):
        others.append("AWS Neuron")
    architectures = facts.get("ProcessorInfo", {}).get("SupportedArchitectures", ["x86_64"])
    return Machine(
        name=facts["InstanceType"],
        vcpus=facts.get("VCpuInfo", {}).get("DefaultVCpus", 0),
        architecture="arm64" if "arm64" in architectures else "x86_64",
        gpus=sum(one.get("Count", 1) for one in ours),
        accelerator=f"nvidia-{ours[0]['Name'].lower().replace(' ', '-')}" if ours else None,
        other_accelerator=others[0] if others else None,
        zones=zones,
        memory=facts.get("MemoryInfo", {}).get("SizeInMiB", 0),
    )


def read_versions(aws: Aws) -> tuple[Version, ...]:
    """The versions of Kubernetes that EKS knows."""
    found = aws.eks.every("describe_cluster_versions", "clusterVersions")
    return tuple(
        Version(
            name=one["clusterVersion"],
            is_default=bool(one.get("defaultVersion")),
            is_standard=one.get("versionStatus") == "STANDARD_SUPPORT",
            is_supported=one.get("versionStatus") != "UNSUPPORTED",
            end=_day(one.get("endOfStandardSupportDate")),
        )
        for one in found
    )


def _day(value: Any) -> date | None:
    return value.date() if isinstance(value, datetime) else None


def _subnets(aws: Aws, ids: list[str]) -> list[Any]:
    try:
        return aws.ec2.describe_subnets(SubnetIds=ids)["Subnets"]
    except AwsMissing as error:
        raise AwsRefused(f"a subnet of cluster.yml does not exist in {aws.region}: {error.said}", hint="check `subnets` and `region`") from error


def _full(aws: Aws, spec: ClusterSpec, denied: list[str]) -> Iterator[str]:
    """The quotas of the account that leave no room for another cluster."""
    present = [("eks", "L-1194D53C", "clusters", len(aws.eks.every("list_clusters", "clusters")))]
    if not spec.subnets:
        present.append(("vpc", "L-F678F1CE", "VPCs", len(aws.ec2.every("describe_vpcs", "Vpcs"))))
    if spec.private_nodes:
        present.append(("ec2", "L-0263D0A3", "elastic addresses", len(aws.ec2.describe_addresses()["Addresses"])))
    for service, code, what, count in present:
        allowed = _quota(aws, code, denied, service=service, what=f"how many {what} the account may have")
        if allowed is not None and count >= allowed:
            yield f"the account has {count} {what} in {aws.region} and may have {allowed:.0f} (Service Quotas, {service}, {code})"


def _quota(aws: Aws, code: str, denied: list[str], *, service: str = "ec2", what: str = "how many vCPUs the account may run") -> float | None:
    try:
        return float(aws.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
    except AwsError as error:
        denied.append(f"{what} could not be asked: {error.message}")
        return None
