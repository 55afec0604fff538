"""What exists of a cluster, found by its tag, its path in IAM and its name in EKS: for the plan, and for the proof that nothing is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.aws.access_entries import read_access
from tasks.aws.addons import read_addon
from tasks.aws.control_plane import read_cluster
from tasks.aws.design import ADDONS
from tasks.aws.names import TAG, tag_filter
from tasks.aws.network import name_of
from tasks.aws.node_groups import list_groups, read_group
from tasks.aws.pod_identity import list_identities
from tasks.aws.repositories import list_repositories
from tasks.aws.roles import read_roles
from tasks.aws.session import Aws

TAGGED = (
    ("VPC", "describe_vpcs", "Vpcs"),
    ("internet gateway", "describe_internet_gateways", "InternetGateways"),
    ("subnet", "describe_subnets", "Subnets"),
    ("route table", "describe_route_tables", "RouteTables"),
    ("S3 endpoint", "describe_vpc_endpoints", "VpcEndpoints"),
    ("NAT gateway", "describe_nat_gateways", "NatGateways"),
)
GONE = ("deleted", "deleting")


@dataclass(frozen=True)
class Inventory:
    """(kind, name) of everything that exists, and what EKS says of the cluster and its groups."""

    resources: tuple[tuple[str, str], ...]
    cluster: Mapping[str, Any] | None = None
    groups: Mapping[str, Mapping[str, Any]] | None = None

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such a resource."""
        return (kind, name) in self.resources


def read_inventory(aws: Aws, name: str) -> Inventory:
    """Everything that carries the cluster's tag or belongs to the cluster in EKS. Changes nothing."""
    cluster = read_cluster(aws, name)
    found: list[tuple[str, str]] = []
    groups: dict[str, Mapping[str, Any]] = {}
    if cluster is not None:
        found.append(("cluster", name))
        if (cluster.get("tags") or {}).get(TAG) == name:
            found += [("access entry", one.principal) for one in read_access(aws, name)]
            found += [("add-on", one) for one in (*ADDONS, "coredns") if read_addon(aws, name, one) is not None]
            found += [("pod identity", one) for one in list_identities(aws, name)]
            groups = {one: group for one in list_groups(aws, name) if (group := read_group(aws, name, one)) is not None}
            found += [("node group", one) for one in groups]
    templates = aws.ec2.every("describe_launch_templates", "LaunchTemplates", Filters=tag_filter(name))
    found += [("launch template", one["LaunchTemplateName"]) for one in templates]
    for kind, method, key in TAGGED:
        listed = aws.ec2.every(method, key, Filters=tag_filter(name))
        found += [(kind, name_of(one)) for one in listed if str(one.get("State", "")).lower() not in GONE]
    found += [("address", name_of(one)) for one in aws.ec2.describe_addresses(Filters=tag_filter(name))["Addresses"]]
    found += [("role", one) for one in read_roles(aws, name)]
    found += [("image repository", one) for one in list_repositories(aws, name)]
    return Inventory(tuple(found), cluster, groups)


def leftovers(aws: Aws, name: str) -> list[str]:
    """What is left after a cluster was destroyed, each with its kind; empty is the proof that nothing is.

    Volumes that pods had asked for are listed too: they hold data and are never deleted.
    """
    left = [f"{kind} {one}" for kind, one in read_inventory(aws, name).resources]
    owned = [{"Name": f"tag:kubernetes.io/cluster/{name}", "Values": ["owned"]}]
    for one in aws.ec2.every("describe_volumes", "Volumes", Filters=owned):
        left.append(f"volume {one['VolumeId']} ({one['Size']} GiB; it holds data and is yours to delete)")
    for one in aws.client("logs").every("describe_log_groups", "logGroups", logGroupNamePrefix=f"/aws/eks/{name}/"):
        left.append(f"log group {one['logGroupName']}")
    return left
