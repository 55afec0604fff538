"""What a cluster.yml comes to, and what is refused before anything is made. Pure."""

from datetime import date
from typing import Any

import pytest

from tasks.aws.design import Design, chosen_version, design_of
from tasks.aws.facts import Facts, Machine, Version
from tasks.aws.plan import cost_of
from tasks.aws.prices import Prices, price_in
from tests.aws.clusters import CPU, GPU, S3, TODAY, spec_of
from trialflow.errors import InvalidInput

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d")


def machine(name: str, *, gpus: int = 0, arm: bool = False, zones: tuple[str, ...] = ZONES, other: str | None = None, vcpus: int = 2) -> Machine:
    return Machine(name, vcpus, "arm64" if arm else "x86_64", gpus, "nvidia-a10g" if gpus else None, other, frozenset(zones))


MACHINES = {
    one.name: one
    for one in (
        machine("t3.large"),
        machine("m5.large"),
        machine("m7g.large", arm=True),
        machine("g5.xlarge", gpus=1, zones=("eu-west-1d",)),
        machine("g4ad.xlarge", other="AMD Radeon Pro V520"),
        machine("p5.48xlarge", gpus=8, vcpus=192),
        machine("x1.nowhere", zones=()),
    )
}
VERSIONS = (
    Version("1.33", False, False, True, date(2026, 7, 29)),
    Version("1.34", True, True, True, date(2026, 12, 2)),
    Version("1.35", False, True, True, date(2027, 3, 27)),
    Version("1.19", False, False, False, date(2018, 1, 1)),
)


def facts(**more: Any) -> Facts:
    known: dict[str, Any] = {
        "region": "eu-west-1",
        "account": "123456789012",
        "partition": "aws",
        "principal": "arn:aws:iam::123456789012:user/owner",
        "zones": ZONES,
        "machines": MACHINES,
        "versions": VERSIONS,
        "policies": frozenset({S3}),
        "quotas": {"L-1216C47A": 64.0, "L-DB2E81BA": 0.0, "L-417A185B": None},
        "prices": Prices({"t3.large": 0.1, "m5.large": 0.2}),
    }
    return Facts(**{**known, **more})


def designed(found: Facts | None = None, **more: Any) -> Design:
    return design_of(spec_of(**more), found or facts(), today=TODAY)


@pytest.mark.parametrize(
    ("more", "found", "said"),
    [
        ({"cpu": {**CPU, "instance_type": "m9.huge"}}, {}, "cpu: instance type m9.huge is not sold in eu-west-1"),
        ({"cpu": {**CPU, "instance_type": "x1.nowhere"}}, {}, "cpu: no usable zone of eu-west-1 has x1.nowhere"),
        ({"gpu": {**GPU, "instance_type": "m5.large"}}, {}, "gpu: m5.large has no NVIDIA GPU"),
        ({"gpu": {**GPU, "instance_type": "g4ad.xlarge"}}, {}, "gpu: g4ad.xlarge has no NVIDIA GPU but AMD Radeon Pro V520"),
        ({"gpu": GPU}, {}, "4 vCPUs and the account may run 0 of their kind (Service Quotas, ec2, L-DB2E81BA)"),
        ({"cpu": {**CPU, "max_nodes": 33}}, {}, "66 vCPUs and the account may run 64"),
        ({"cpu": {**CPU, "spot": True, "alternative_types": ["m9.huge"]}}, {}, "cpu: instance type m9.huge is not sold"),
        ({"cpu": {**CPU, "spot": True, "alternative_types": ["m7g.large"]}}, {}, "m7g.large is not of the size of m5.large"),
        ({"kubernetes_version": "1.20"}, {}, "kubernetes_version 1.20 is not one that EKS makes (1.33, 1.34, 1.35)"),
        ({"kubernetes_version": "1.19"}, {}, "kubernetes_version 1.19 is not"),
        ({"kubernetes_version": "1.99"}, {}, "kubernetes_version 1.99 is not"),
        ({"aws": {"additional_policies": ["arn:aws:iam::aws:policy/None"]}}, {}, "there is no policy arn:aws:iam::aws:policy/None"),
        ({"aws": {"additional_policies": [S3 + str(one) for one in range(7)]}}, {}, "7 policies, and a role has room for 6 more"),
        ({}, {"zones": ("eu-west-1a",)}, "EKS needs subnets in two zones, and there are only eu-west-1a"),
        ({}, {"subnets": {"subnet-0a1b2c3d": "eu-west-1a", "subnet-0a1b2c3e": "eu-west-1b"}, "vpcs": frozenset({"vpc-1", "vpc-2"})}, "several VPCs"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(more: dict[str, Any], found: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        designed(facts(**found), **more)
    assert said in raised.value.message and raised.value.hint


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as raised:
        designed(cpu={**CPU, "instance_type": "m9.huge"}, gpu={**GPU, "instance_type": "m5.large"}, kubernetes_version="1.20")
    assert all(part in raised.value.message for part in ("m9.huge", "no NVIDIA GPU", "1.20"))


@pytest.mark.parametrize(
    ("wanted", "today", "chosen"),
    [
        (None, TODAY, "1.35"),  # the default one ends too soon
        (None, date(2026, 8, 1), "1.34"),
        (None, date(2027, 3, 1), "1.35"),  # none lasts: the newest
        ("latest", TODAY, "1.35"),
        ("1.33", TODAY, "1.33"),
    ],
)
def test_the_version_is_the_default_or_newest_that_lasts(wanted: str | None, today: date, chosen: str) -> None:
    version, wrong = chosen_version(wanted, VERSIONS, today)
    assert version and version.name == chosen and not wrong


def test_zones_are_chosen_so_that_every_type_can_be_had() -> None:
    quotas = {"L-1216C47A": 64.0, "L-DB2E81BA": 64.0}
    design = designed(facts(quotas=quotas), gpu=GPU)
    assert len(design.zones) == 3 and "eu-west-1d" in design.zones
    assert next(one for one in design.groups if one.pool == "gpu").zones == {"eu-west-1d"}


def test_groups_are_what_their_machines_need() -> None:
    design = designed(
        facts(quotas={}), cpu=[{**CPU, "instance_type": "m7g.large"}, {**CPU, "spot": True}], gpu={**GPU, "instance_type": "p5.48xlarge"}
    )
    system, arm, spot, gpu = design.groups
    assert [one.ami_type for one in (system, arm, gpu)] == ["AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NVIDIA"]
    assert spot.is_spot and not arm.is_spot and len({one.name for one in design.groups}) == 4
    assert gpu.labels["trialflow.dev/node-group"] == "gpu" and gpu.labels["k8s.amazonaws.com/accelerator"] == "nvidia-a10g"
    assert all(taint["value"] for one in design.groups for taint in one.taints) and not arm.taints
    assert any("arm64" in one for one in design.warnings)


def test_a_name_changes_with_what_eks_cannot_change_and_with_nothing_else() -> None:
    def name(**more: Any) -> str:
        return designed(cpu={**CPU, **more}).groups[1].name

    assert name() == name(min_nodes=1, max_nodes=9)
    assert len({name(spot=True), name(spot=True, alternative_types=["t3.large"])}) == 2
    assert len({name(), name(node_volume_size=7), name(spot=True), name(instance_type="m7g.large")}) == 4


def test_the_cost_counts_what_runs_always_and_what_may_run() -> None:
    disk, address = 0.08 / 730, 0.005
    system, node = 0.1 + 50 * disk + address, 0.2 + 100 * disk + address
    cost = cost_of(designed())
    assert cost.idle == pytest.approx(0.10 + system) and cost.most == pytest.approx(0.10 + 2 * system + 2 * node)
    private = cost_of(designed(private_nodes=True))
    assert private.idle == pytest.approx(0.10 + 0.045 + 0.005 + system - address)
    assert cost_of(designed(kubernetes_version="1.33")).idle == pytest.approx(0.60 + system)


def test_an_unknown_price_is_said_and_not_counted_as_nothing() -> None:
    cost = cost_of(designed(cpu={**CPU, "instance_type": "m7g.large"}))
    assert cost.idle is not None and cost.most is None and cost.unknown == ("m7g.large",)


@pytest.mark.parametrize(("prices", "expected"), [(["0.1"], 0.1), ([], None), (["0.1", "0.2"], None), (["0.0", "0.3"], 0.3), (["0.3", "0.3"], 0.3)])
def test_a_price_is_taken_only_if_there_is_one(prices: list[str], expected: float | None) -> None:
    import json

    documents = [json.dumps({"terms": {"OnDemand": {"a": {"priceDimensions": {"b": {"pricePerUnit": {"USD": one}}}}}}}) for one in prices]
    assert price_in(documents) == expected
