"""A cluster follows its cluster.yml: what is done in place, what is refused, and what is done is what was planned."""

from typing import Any

import pytest
from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID

from tasks.aws.inventory import read_inventory
from tasks.aws.preparing import prepare_update
from tasks.aws.session import Aws
from tasks.aws.steps import creation, do
from tasks.aws.updating import updating
from tasks.aws.waiting import Waiter
from tests.aws.clusters import CPU, GPU, MODEL, S3, TODAY, designed, spec_of
from tests.aws.stand import REGION, Stand
from trialflow.errors import InvalidInput


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


def start_machines(count: int) -> None:
    """As the autoscaler does."""
    for group in autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].autoscaling_groups.values():
        group.desired_capacity = count


def test_what_has_not_changed_is_left(made: Stand, aws: Aws, wait: Waiter) -> None:
    assert update(aws, wait) == [] and not made.front.changes()


@pytest.mark.parametrize(("present", "low", "high", "desired"), [(0, 1, 5, 1), (2, 0, 5, 2), (4, 0, 3, 3)])
def test_sizes_change_in_place_and_what_runs_is_kept_within_them(
    made: Stand, aws: Aws, wait: Waiter, present: int, low: int, high: int, desired: int
) -> None:
    start_machines(present)
    assert update(aws, wait, cpu={**CPU, "min_nodes": low, "max_nodes": high}) == [("change", "node group")]
    assert made.front.changes() == {"eks:UpdateNodegroupConfig": 1}
    (group,) = [one for name, one in (read_inventory(aws, "tiny").groups or {}).items() if name.startswith("cpu-")]
    assert group["scalingConfig"] == {"minSize": low, "maxSize": high, "desiredSize": desired}


def test_groups_and_policies_are_added(made: Stand, aws: Aws, wait: Waiter) -> None:
    done = update(aws, wait, gpu=GPU, aws={"additional_policies": [S3]})
    assert sorted(done) == [
        ("change", "role"),
        ("create", "launch template"),
        ("create", "node group"),
        ("create", "pod identity"),
        ("create", "role"),
    ]


def test_another_type_is_a_new_group_and_the_idle_one_goes(made: Stand, aws: Aws, wait: Waiter) -> None:
    done = update(aws, wait, cpu={**CPU, "instance_type": "c5.xlarge"})
    assert [one for one in done if one[1] == "node group"] == [("create", "node group"), ("delete", "node group")]
    assert len([one for one in read_inventory(aws, "tiny").resources if one[0] in ("node group", "launch template")]) == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kubernetes_version": "1.35"}, "it runs Kubernetes 1.36 and cluster.yml comes to 1.35"),
        ({"system": {"instance_type": "m5.large"}}, "runs the cluster's own programs"),
        ({"cpu": {**CPU, "node_volume_size": 50}}, "has machines that run"),
        ({"subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]}, "a subnet of cluster.yml does not exist"),
    ],
)
def test_what_cannot_be_changed_is_refused_before_anything_is(made: Stand, aws: Aws, wait: Waiter, more: dict[str, Any], said: str) -> None:
    start_machines(1)
    with pytest.raises(Exception, match=said):
        update(aws, wait, **more)
    assert not made.front.changes()


def test_a_cluster_that_is_not_there_is_to_be_created(stand: Stand, aws: Aws, wait: Waiter) -> None:
    with pytest.raises(InvalidInput, match="there is no cluster tiny"):
        update(aws, wait)
