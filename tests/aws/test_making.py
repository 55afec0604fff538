"""A cluster is made and destroyed on the stand: what was planned and nothing else, whatever happens meanwhile."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tasks.aws.errors import AwsRefused, AwsUnavailable
from tasks.aws.inventory import leftovers, read_inventory
from tasks.aws.names import TAG
from tasks.aws.preparing import prepare_destruction
from tasks.aws.session import Aws
from tasks.aws.steps import creation, destruction, do
from tasks.aws.waiting import Waiter
from tests.aws.clusters import MODEL, designed, full, planned, spec_of
from tests.aws.stand import REGION, Stand
from trialflow.errors import InvalidInput, LimitReached
from trialflow.specs import ClusterSpec

MAKES = {
    "VPC": "ec2:CreateVpc",
    "internet gateway": "ec2:CreateInternetGateway",
    "subnet": "ec2:CreateSubnet",
    "route table": "ec2:CreateRouteTable",
    "S3 endpoint": "ec2:CreateVpcEndpoint",
    "address": "ec2:AllocateAddress",
    "NAT gateway": "ec2:CreateNatGateway",
    "role": "iam:CreateRole",
    "cluster": "eks:CreateCluster",
    "access entry": "eks:CreateAccessEntry",
    "add-on": "eks:CreateAddon",
    "launch template": "ec2:CreateLaunchTemplate",
    "node group": "eks:CreateNodegroup",
    "pod identity": "eks:CreatePodIdentityAssociation",
}
"""What call makes each kind of resource of a plan."""


def make(aws: Aws, spec: ClusterSpec, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec), MODEL), wait)


def destroy(wait: Waiter) -> None:
    do(destruction(Aws(region=REGION), "tiny"), wait)


def test_the_plan_is_what_is_then_done(stand: Stand, aws: Aws, wait: Waiter) -> None:
    plan = planned(aws, full())
    assert {one.action for one in plan.changes} == {"create"}
    stand.front.calls.clear()
    make(aws, full(), wait)
    done = stand.front.changes()
    # A call that names a role which EKS does not know yet is made again.
    retried = {"eks:CreateCluster": 1, "eks:CreateNodegroup": 1, "eks:CreatePodIdentityAssociation": 2}
    wanted = Counter(MAKES[one.kind] for one in plan.changes) + Counter(retried)
    assert {call: done[call] for call in MAKES.values()} == {call: wanted[call] for call in MAKES.values()}
    found = read_inventory(aws, "tiny").resources
    assert sorted(found) == sorted((one.kind, one.name) for one in plan.changes)


def test_a_second_creation_changes_nothing_and_says_so(stand: Stand, aws: Aws, wait: Waiter) -> None:
    make(aws, full(), wait)
    assert {one.action for one in planned(aws, full()).changes} == {"keep"}
    stand.front.calls.clear()
    make(aws, full(), wait)
    assert not stand.front.changes()


def test_planning_changes_nothing(stand: Stand, aws: Aws) -> None:
    planned(aws, full())
    assert stand.front.calls and not stand.front.changes()


def test_nothing_is_left_after_destruction_and_twice_is_fine(stand: Stand, aws: Aws, wait: Waiter) -> None:
    make(aws, full(), wait)
    plan = prepare_destruction(aws, "tiny")
    assert {one.action for one in plan.changes} == {"delete"} and len(plan.changes) == len(read_inventory(aws, "tiny").resources)
    destroy(wait)
    assert leftovers(aws, "tiny") == []
    stand.front.calls.clear()
    destroy(wait)
    assert not stand.front.changes()


@pytest.mark.parametrize("code", ["Throttling", "InternalFailure"])
def test_every_call_may_fail_once(stand: Stand, aws: Aws, wait: Waiter, code: str) -> None:
    stand.front.faults.once = code
    make(aws, full(), wait)
    assert {one.action for one in planned(aws, full()).changes} == {"keep"}
    destroy(wait)
    assert leftovers(aws, "tiny") == []
    assert len(stand.front.faults.hit) > 60


def test_spot_machines_may_be_of_several_types(stand: Stand, aws: Aws, wait: Waiter) -> None:
    spec = spec_of(cpu={"instance_type": "m5.large", "min_nodes": 0, "max_nodes": 2, "spot": True, "alternative_types": ["m5a.large", "m5d.large"]})
    make(aws, spec, wait)
    (group,) = [one for name, one in (read_inventory(aws, "tiny").groups or {}).items() if name.startswith("cpu-")]
    assert group["instanceTypes"] == ["m5.large", "m5a.large", "m5d.large"] and group["capacityType"] == "SPOT"
    template = aws.ec2.describe_launch_template_versions(LaunchTemplateName=group["launchTemplate"]["name"], Versions=["$Latest"])
    assert "InstanceType" not in template["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert {one.action for one in planned(aws, spec).changes} == {"keep"}


def test_what_does_not_carry_our_tag_is_not_touched(stand: Stand, aws: Aws, wait: Waiter) -> None:
    ec2 = aws.ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    other = ec2.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": TAG, "Value": "other"}]}])["Vpc"][
        "VpcId"
    ]
    aws.iam.create_role(RoleName="stranger", Path="/trialflow/tiny/", AssumeRolePolicyDocument="{}")
    make(aws, spec_of(), wait)
    destroy(wait)
    present = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]}
    assert {vpc, other} <= present and ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert aws.iam.get_role(RoleName="stranger")["Role"]


def test_a_cluster_of_someone_else_is_neither_changed_nor_destroyed(stand: Stand, aws: Aws, wait: Waiter) -> None:
    make(aws, spec_of(), wait)
    aws.eks.untag_resource(resourceArn=aws.eks.describe_cluster(name="tiny")["cluster"]["arn"], tagKeys=[TAG])
    stand.front.calls.clear()
    for attempt in (lambda: destruction(aws, "tiny"), lambda: prepare_destruction(aws, "tiny"), lambda: planned(aws, spec_of())):
        with pytest.raises(AwsRefused, match="trialflow did not make it"):
            attempt()
    assert not stand.front.changes()


def test_a_permission_that_is_missing_in_the_middle_is_named_and_the_same_command_goes_on(stand: Stand, aws: Aws, wait: Waiter) -> None:
    stand.front.faults.denied = frozenset({"ec2:CreateRouteTable"})
    with pytest.raises(AwsRefused) as raised:
        make(aws, spec_of(), wait)
    assert "may not do ec2:CreateRouteTable" in raised.value.message and "goes on where it stopped" in str(raised.value.hint)
    stand.front.faults.denied = frozenset()
    make(aws, spec_of(), wait)
    assert {one.action for one in planned(aws, spec_of()).changes} == {"keep"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cpu": {"instance_type": "m5.large", "min_nodes": 1, "max_nodes": 2}}, "has 0 to 2 nodes, not 1 to 2"),
        ({"cpu": {"instance_type": "c5.xlarge", "min_nodes": 0, "max_nodes": 2}}, "which cluster.yml does not ask for"),
        ({"kubernetes_version": "1.35"}, "it runs Kubernetes 1.36, cluster.yml comes to 1.35"),
    ],
)
def test_a_cluster_that_differs_from_the_file_is_not_made_over(stand: Stand, aws: Aws, wait: Waiter, more: dict[str, Any], said: str) -> None:
    make(aws, spec_of(), wait)
    with pytest.raises(InvalidInput) as raised:
        planned(aws, spec_of(**more))
    assert said in raised.value.message


def test_a_cluster_that_could_cost_too_much_is_refused(stand: Stand, aws: Aws) -> None:
    with pytest.raises(LimitReached, match=r"could cost \$0\.5\d an hour, and max_cost_per_hour is 0.5"):
        planned(aws, spec_of(max_cost_per_hour=0.5))
    assert planned(aws, spec_of(max_cost_per_hour=0.7)).cost


def test_prices_come_from_a_table_with_a_date_where_the_list_may_not_be_asked(stand: Stand, aws: Aws) -> None:
    asked = planned(aws, spec_of()).cost
    stand.front.faults.denied = frozenset({"pricing:GetProducts"})
    table = planned(aws, spec_of()).cost
    assert asked and table and asked.idle and table.idle and asked.idle > table.idle > 0.1


def test_a_wait_that_takes_too_long_says_for_what(stand: Stand) -> None:
    times = iter(range(0, 10_000, 60))
    wait = Waiter(clock=lambda: next(times), sleep=lambda seconds: None)
    with pytest.raises(AwsRefused, match="node group x is still creating after 5 minutes"):
        wait.until("node group x", lambda: (None, "creating"), minutes=5)


def test_aws_that_is_not_there_is_worth_trying_again(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(AwsUnavailable, match="sts:GetCallerIdentity got no answer"):
        Aws(region=REGION).identity  # noqa: B018 - it is asked for here


def test_existing_subnets_are_used_and_left(stand: Stand, aws: Aws, wait: Waiter) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    place: Callable[[int], str] = lambda index: aws.ec2.create_subnet(  # noqa: E731
        VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"{REGION}{'ab'[index]}"
    )["Subnet"]["SubnetId"]
    spec = spec_of(subnets=[place(0), place(1)])
    make(aws, spec, wait)
    assert sorted(aws.eks.describe_cluster(name="tiny")["cluster"]["resourcesVpcConfig"]["subnetIds"]) == sorted(spec.subnets or [])
    assert not [one for one in planned(aws, spec).changes if one.kind in ("VPC", "subnet")]
    destroy(wait)
    assert leftovers(aws, "tiny") == [] and len(aws.ec2.describe_subnets(SubnetIds=spec.subnets)["Subnets"]) == 2
