"""A cluster follows its cluster.yml: what is done in place, what is refused, and what is done is what was planned."""

from typing import Any

import pytest
from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from tasks.aws.addons import read_addon
from tasks.aws.inventory import read_inventory
from tasks.aws.names import role_name
from tasks.aws.preparing import prepare_update
from tasks.aws.roles import attached_policies
from tasks.aws.session import Aws
from tasks.aws.steps import creation, do
from tasks.aws.update_plan import is_retired
from tasks.aws.updating import updating
from tasks.aws.waiting import Waiter
from tests.aws.clusters import CPU, GPU, MODEL, S3, TODAY, designed, spec_of
from tests.aws.stand import REGION, Stand
from tests.aws.test_killed import changes
from trialflow.errors import InvalidInput

SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
BY_HAND = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"


@pytest.fixture
def made(stand: Stand, aws: Aws, wait: Waiter) -> Stand:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    stand.front.calls.clear()
    return stand


def update(aws: Aws, wait: Waiter, /, **more: Any) -> list[tuple[str, str]]:
    """Update, and what was planned but for what is kept, as (action, kind)."""
    design, plan = prepare_update(aws, spec_of(**more), today=TODAY)
    do(updating(aws, design, plan, MODEL), wait)
    assert {one.action for one in prepare_update(aws, spec_of(**more), today=TODAY)[1].changes} == {"keep"}
    return [(one.action, one.kind) for one in plan.changes if one.action != "keep"]


def group_of(aws: Aws, pool: str) -> Any:
    (group,) = [one for name, one in (read_inventory(aws, "tiny").groups or {}).items() if name.startswith(f"{pool}-")]
    return group


def start_machines(count: int) -> None:
    """As the autoscaler does."""
    for group in autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups.values():
        group.desired_capacity = count


def test_what_has_not_changed_is_left(made: Stand, aws: Aws, wait: Waiter) -> None:
    assert update(aws, wait) == [] and not made.front.changes()


@pytest.mark.parametrize(("present", "low", "high", "desired"), [(0, 1, 5, 1), (2, 0, 5, 2), (4, 0, 4, 4)])
def test_sizes_change_in_place_and_what_runs_is_kept_within_them(
    made: Stand, aws: Aws, wait: Waiter, present: int, low: int, high: int, desired: int
) -> None:
    start_machines(present)
    assert update(aws, wait, cpu={**CPU, "min_nodes": low, "max_nodes": high}, system={"max_nodes": 9}) == [("change", "node group")] * 2
    assert made.front.changes() == {"eks:UpdateNodegroupConfig": 2}
    group = group_of(aws, "cpu")
    assert group["scalingConfig"] == {"minSize": low, "maxSize": high, "desiredSize": desired}


def test_groups_and_policies_are_added_and_taken_away(made: Stand, aws: Aws, wait: Waiter) -> None:
    done = update(aws, wait, gpu=GPU, aws={"additional_policies": [S3]})
    assert sorted(done) == [
        ("change", "role"),
        ("create", "launch template"),
        ("create", "node group"),
        ("create", "pod identity"),
        ("create", "role"),
    ]
    nodes = role_name("tiny", "nodes", REGION)
    aws.iam.attach_role_policy(RoleName=nodes, PolicyArn=BY_HAND)
    assert update(aws, wait, gpu=GPU, aws={"additional_policies": [SQS]}) == [("change", "role")] * 2
    assert {SQS, BY_HAND} <= set(attached_policies(aws, nodes)) and S3 not in attached_policies(aws, nodes)
    done = update(aws, wait)
    assert sorted(done) == [
        ("change", "role"),
        ("delete", "launch template"),
        ("delete", "node group"),
        ("delete", "pod identity"),
        ("delete", "role"),
    ]
    assert BY_HAND in attached_policies(aws, nodes) and SQS not in attached_policies(aws, nodes)


def test_another_type_is_a_new_group_and_the_idle_one_goes(made: Stand, aws: Aws, wait: Waiter) -> None:
    done = update(aws, wait, cpu={**CPU, "instance_type": "c5.xlarge"}, system={"instance_type": "m5.large"})
    assert [one for one in done if one[1] == "node group"] == [("create", "node group")] * 2 + [("delete", "node group")] * 2
    assert len([one for one in read_inventory(aws, "tiny").resources if one[0] in ("node group", "launch template")]) == 4


def test_a_group_in_use_takes_no_more_training_runs_and_goes_when_it_is_idle(made: Stand, aws: Aws, wait: Waiter) -> None:
    start_machines(2)
    wanted = {"cpu": {**CPU, "instance_type": "c5.xlarge"}}
    assert ("change", "node group") in update(aws, wait, **wanted)
    (old,) = [one for one in (read_inventory(aws, "tiny").groups or {}).values() if is_retired(one)]
    assert old["scalingConfig"] == {"minSize": 0, "maxSize": 2, "desiredSize": 2}
    assert update(aws, wait, **wanted) == []
    start_machines(0)
    assert update(aws, wait, **wanted) == [("delete", "node group"), ("delete", "launch template")]


def test_a_group_that_comes_back_takes_training_runs_again(made: Stand, aws: Aws, wait: Waiter) -> None:
    start_machines(1)
    update(aws, wait, cpu={**CPU, "instance_type": "c5.xlarge"})
    update(aws, wait, cpu=[CPU, {**CPU, "instance_type": "c5.xlarge"}])
    groups = read_inventory(aws, "tiny").groups or {}
    assert len(groups) == 3 and not any(map(is_retired, groups.values()))


def test_the_version_goes_up_by_one_and_machines_and_add_ons_follow(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of(kubernetes_version="1.34")), MODEL), wait)
    stand.front.calls.clear()
    done = update(aws, wait, kubernetes_version="1.35")
    assert sorted(done) == sorted([("change", "cluster"), *[("change", "node group")] * 2, *[("change", "add-on")] * 4])
    calls = [one.partition(":")[2] for one in stand.front.calls if "Update" in one and "Describe" not in one]
    assert calls == ["UpdateClusterVersion", *["UpdateNodegroupVersion"] * 2, *["UpdateAddon"] * 4]
    assert {one["version"] for one in (read_inventory(aws, "tiny").groups or {}).values()} == {"1.35"}
    assert read_addon(aws, "tiny", "coredns")["addonVersion"].startswith("v1.35")  # type: ignore[index]


def test_a_cluster_that_leaves_extended_support_does_not_slip_into_it_again(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of(kubernetes_version="1.33")), MODEL), wait)
    assert aws.eks.describe_cluster(name="tiny")["cluster"]["upgradePolicy"] == {"supportType": "EXTENDED"}
    assert ("change", "cluster") in update(aws, wait, kubernetes_version="1.34")
    assert aws.eks.describe_cluster(name="tiny")["cluster"]["upgradePolicy"] == {"supportType": "STANDARD"}


@pytest.mark.slow
def test_an_update_that_was_killed_after_any_change_goes_on(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of(kubernetes_version="1.34", aws={"additional_policies": [S3]})), MODEL), wait)
    spec = spec_of(kubernetes_version="1.35", gpu=GPU, cpu={**CPU, "max_nodes": 5})

    def work(aws: Aws) -> None:
        design, plan = prepare_update(aws, spec, today=TODAY)
        do(updating(aws, design, plan, MODEL), wait)

    assert sum(1 for _ in changes(work)) > 12
    assert {one.action for one in prepare_update(aws, spec, today=TODAY)[1].changes} == {"keep"}
    found = read_inventory(aws, "tiny")
    assert len(set(found.resources)) == len(found.resources) and len(found.groups or {}) == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kubernetes_version": "1.33"}, "it runs Kubernetes 1.34, and cannot go back to 1.33"),
        ({"kubernetes_version": "1.36"}, "one version at a time: first to 1.35, then to 1.36"),
        ({"kubernetes_version": "1.35"}, "EKS says that Deprecated APIs stands in the way of Kubernetes 1.35: removed in 1.35"),
        ({"cpu": {**CPU, "max_nodes": 1}}, "runs 2 machines, and max_nodes 1 would end what runs on some"),
        ({"subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]}, "a subnet of cluster.yml does not exist"),
    ],
)
def test_what_cannot_be_changed_is_refused_before_anything_is(stand: Stand, aws: Aws, wait: Waiter, more: dict[str, Any], said: str) -> None:
    do(creation(aws, designed(aws, spec_of(kubernetes_version="1.34")), MODEL), wait)
    start_machines(2)
    cluster = eks_backends[DEFAULT_ACCOUNT_ID][REGION].clusters["tiny"]
    cluster.insights = [{"name": "Deprecated APIs", "kubernetesVersion": "1.35", "insightStatus": {"status": "ERROR", "reason": "removed in 1.35"}}]
    stand.front.calls.clear()
    with pytest.raises(Exception, match=said):
        update(aws, wait, **more)
    assert not stand.front.changes()


def test_what_may_not_be_asked_is_a_warning(made: Stand, aws: Aws, wait: Waiter) -> None:
    eks_backends[DEFAULT_ACCOUNT_ID][REGION].clusters["tiny"].version = "1.35"
    made.front.faults.denied = frozenset({"eks:ListInsights"})
    _, plan = prepare_update(aws, spec_of(kubernetes_version="1.36"), today=TODAY)
    assert any("could not be asked" in one and "eks:ListInsights" in one for one in plan.warnings)


def test_a_cluster_that_is_not_there_is_to_be_created(stand: Stand, aws: Aws, wait: Waiter) -> None:
    with pytest.raises(InvalidInput, match="there is no cluster tiny"):
        update(aws, wait)
