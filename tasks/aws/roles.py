"""The IAM roles of a cluster: for its control plane, its nodes, the autoscaler, and training runs that may use other services."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.aws.design import Design
from tasks.aws.errors import AwsMissing, AwsRefused
from tasks.aws.names import TAG, role_name, role_path, tag_list
from tasks.aws.session import Aws, ignore_missing, is_found

MANAGED = {
    "cluster": ("AmazonEKSClusterPolicy",),
    "nodes": ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"),
    "autoscaler": (),
    "model": (),
}
"""The policies of AWS that each role gets."""
TRUSTED = {"cluster": "eks.amazonaws.com", "nodes": "ec2.amazonaws.com", "autoscaler": "pods.eks.amazonaws.com", "model": "pods.eks.amazonaws.com"}
INLINE = "trialflow"


def role_kinds(design: Design) -> list[str]:
    """Which roles the design has: one for training runs only if they get policies."""
    return ["cluster", "nodes", "autoscaler", *(["model"] if design.policies else [])]


def expected_roles(design: Design) -> list[tuple[str, str]]:
    """What `ensure_roles` makes, as (kind, name)."""
    return [("role", role_name(design.name, kind, design.region)) for kind in role_kinds(design)]


def role_arn(design: Design, kind: str) -> str:
    """The ARN of a role of the cluster."""
    return f"arn:{design.partition}:iam::{design.account}:role{role_path(design.name)}{role_name(design.name, kind, design.region)}"


def policies_of(design: Design, kind: str) -> list[str]:
    """The ARNs of the policies that a role has."""
    own = [f"arn:{design.partition}:iam::aws:policy/{name}" for name in MANAGED[kind]]
    return [*own, *(design.policies if kind in ("nodes", "model") else ())]


def trust(kind: str) -> dict[str, Any]:
    """Who may take the role on. Pod Identity also sets session tags."""
    actions = ["sts:AssumeRole", "sts:TagSession"] if TRUSTED[kind].startswith("pods.") else ["sts:AssumeRole"]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": TRUSTED[kind]}, "Action": actions}]}


def autoscaler_policy(cluster: str) -> dict[str, Any]:
    """What the autoscaler may do: look at groups, and change the size of this cluster's."""
    look = """autoscaling:DescribeAutoScalingGroups autoscaling:DescribeAutoScalingInstances autoscaling:DescribeLaunchConfigurations
        autoscaling:DescribeScalingActivities ec2:DescribeImages ec2:DescribeInstanceTypes ec2:DescribeLaunchTemplateVersions
        ec2:GetInstanceTypesFromInstanceRequirements eks:DescribeNodegroup"""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": look.split(), "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
                "Resource": "*",
                "Condition": {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}},
            },
        ],
    }


def ensure_roles(aws: Aws, design: Design) -> None:
    """Have the roles there with their policies. Raises `AwsRefused` if a role of that name is someone else's."""
    for kind in role_kinds(design):
        name = role_name(design.name, kind, design.region)
        found = is_found(aws.iam.get_role, RoleName=name)
        if found is None:
            aws.iam.create_role(
                RoleName=name,
                Path=role_path(design.name),
                AssumeRolePolicyDocument=json.dumps(trust(kind)),
                Description=f"trialflow cluster {design.name}",
                Tags=tag_list(design.name),
            )
        elif not is_ours(found["Role"], design.name):
            raise AwsRefused(f"there is a role {name} already that is not of this cluster", hint="delete it, or choose another cluster_name")
        _attach(aws, name, policies_of(design, kind))
        if kind == "autoscaler" and INLINE not in aws.iam.every("list_role_policies", "PolicyNames", RoleName=name):
            aws.iam.put_role_policy(RoleName=name, PolicyName=INLINE, PolicyDocument=json.dumps(autoscaler_policy(design.name)))


def is_ours(role: Mapping[str, Any], cluster: str) -> bool:
    """Whether a role carries the tag of the cluster."""
    return any(tag["Key"] == TAG and tag["Value"] == cluster for tag in role.get("Tags", []))


def _attach(aws: Aws, role: str, policies: Sequence[str]) -> None:
    attached = attached_policies(aws, role)
    for policy in policies:
        if policy not in attached:
            aws.iam.attach_role_policy(RoleName=role, PolicyArn=policy)


def attached_policies(aws: Aws, role: str) -> list[str]:
    """The ARNs of the policies that a role has; none if there is no such role."""
    try:
        return [one["PolicyArn"] for one in aws.iam.every("list_attached_role_policies", "AttachedPolicies", RoleName=role)]
    except AwsMissing:
        return []


def detach(aws: Aws, role: str, policy: str) -> None:
    """Take a policy from a role, if it has it."""
    ignore_missing(aws.iam.detach_role_policy, RoleName=role, PolicyArn=policy)


def read_roles(aws: Aws, cluster: str) -> list[str]:
    """The names of the cluster's roles in this region: those under its path that carry its tag."""
    listed = aws.iam.every("list_roles", "Roles", PathPrefix=role_path(cluster))
    names = [one["RoleName"] for one in listed if one["RoleName"] in {role_name(cluster, kind, aws.region) for kind in MANAGED}]
    return [name for name in names if (found := is_found(aws.iam.get_role, RoleName=name)) and is_ours(found["Role"], cluster)]


def delete_roles(aws: Aws, cluster: str) -> None:
    """Delete the cluster's roles."""
    for name in read_roles(aws, cluster):
        _delete(aws, name)


def delete_role(aws: Aws, cluster: str, name: str) -> None:
    """Delete one of the cluster's roles, if it is there."""
    if name in read_roles(aws, cluster):
        _delete(aws, name)


def _delete(aws: Aws, name: str) -> None:
    """Delete a role, with all that keeps it from being deleted."""
    iam = aws.iam
    for policy in attached_policies(aws, name):
        detach(aws, name, policy)
    for policy in iam.every("list_role_policies", "PolicyNames", RoleName=name):
        ignore_missing(iam.delete_role_policy, RoleName=name, PolicyName=policy)
    for profile in iam.every("list_instance_profiles_for_role", "InstanceProfiles", RoleName=name):
        ignore_missing(iam.remove_role_from_instance_profile, InstanceProfileName=profile["InstanceProfileName"], RoleName=name)
    ignore_missing(iam.delete_role, RoleName=name)
