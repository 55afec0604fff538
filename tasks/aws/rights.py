"""The rights that making, changing and destroying a cluster takes, and whether we have them: IAM simulates our policies."""

from collections.abc import Iterator, Sequence

from tasks.aws.errors import AwsError
from tasks.aws.names import role_name, role_path
from tasks.aws.session import Aws

ROLE_ACTIONS = tuple(
    f"iam:{one}" for one in "CreateRole TagRole DeleteRole AttachRolePolicy DetachRolePolicy PutRolePolicy DeleteRolePolicy PassRole".split()
)
CLUSTER_ACTIONS = tuple(f"eks:{one}" for one in "CreateCluster DescribeCluster DeleteCluster CreateNodegroup CreateAddon CreateAccessEntry".split())
OTHER_ACTIONS = (
    *(
        f"ec2:{one}"
        for one in """CreateVpc ModifyVpcAttribute DeleteVpc CreateSubnet ModifySubnetAttribute DeleteSubnet CreateInternetGateway
        AttachInternetGateway DetachInternetGateway DeleteInternetGateway CreateRouteTable CreateRoute AssociateRouteTable DisassociateRouteTable
        DeleteRouteTable CreateVpcEndpoint DeleteVpcEndpoints CreateLaunchTemplate DeleteLaunchTemplate RunInstances CreateTags""".split()
    ),
    "autoscaling:CreateOrUpdateTags",
    "ecr:GetAuthorizationToken",
)


def missing_rights(aws: Aws, cluster: str, denied: list[str]) -> Iterator[str]:
    """The actions that our policies do not allow. What could not be asked, or depends on more than can be told here, becomes a line of `denied`.

    This is not a proof: IAM leaves out what the organization forbids.
    """
    prefix = f"arn:{aws.partition}"
    role = f"{prefix}:iam::{aws.account}:role{role_path(cluster)}{role_name(cluster, 'cluster', aws.region)}"
    groups: tuple[tuple[Sequence[str], str], ...] = (
        (ROLE_ACTIONS, role),
        (CLUSTER_ACTIONS, f"{prefix}:eks:{aws.region}:{aws.account}:cluster/{cluster}"),
        (OTHER_ACTIONS, "*"),
    )
    region = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": [aws.region], "ContextKeyType": "string"}
    doubtful = []
    for actions, resource in groups:
        asked = {"PolicySourceArn": aws.principal, "ActionNames": list(actions), "ResourceArns": [resource], "ContextEntries": [region]}
        try:
            results = aws.iam.every("simulate_principal_policy", "EvaluationResults", **asked)
        except AwsError as error:
            denied.append(f"whether all rights are there could not be asked: {error.message}")
            return
        for one in results:
            if one["EvalDecision"] == "allowed":
                continue
            if one.get("MissingContextValues"):
                doubtful.append(one["EvalActionName"])
            else:
                yield one["EvalActionName"]
    if doubtful:
        denied.append(f"whether these rights are there depends on conditions: {', '.join(doubtful)}")
