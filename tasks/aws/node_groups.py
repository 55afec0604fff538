"""The groups of machines of a cluster: a launch template and a managed node group each, and the tags by which the autoscaler knows them."""

from collections.abc import Mapping
from typing import Any

from tasks.aws.control_plane import issues
from tasks.aws.design import Design, Group
from tasks.aws.errors import AwsRefused
from tasks.aws.names import resource_name, tag_filter, tag_list, tag_map, tag_specification
from tasks.aws.network import read_network
from tasks.aws.prices import read_prices
from tasks.aws.roles import role_arn
from tasks.aws.session import Aws, ignore_missing, is_found
from tasks.aws.waiting import Waiter
from trialflow.errors import InvalidInput

CREATE_MINUTES = 40
DELETE_MINUTES = 60
GROUP_LABEL = "eks.amazonaws.com/nodegroup"
SPOT_ROLE = "AWSServiceRoleForEC2Spot"
TEMPLATE = "k8s.io/cluster-autoscaler/node-template"


def expected_groups(design: Design) -> list[tuple[str, str]]:
    """What `ensure_group` makes for each group, as (kind, name)."""
    return [pair for one in design.groups for pair in (("launch template", template_name(design.name, one)), ("node group", one.name))]


def template_name(cluster: str, group: Group) -> str:
    """The name of the group's launch template."""
    return resource_name(cluster, group.name)


def ensure_group(aws: Aws, design: Design, name: str, wait: Waiter) -> None:
    """Have the group of that name there, active, and known to the autoscaler."""
    group = next(one for one in design.groups if one.name == name)
    version = _ensure_template(aws, design.name, group)
    found = read_group(aws, design.name, group.name)
    if found is not None and found["status"] == "CREATE_FAILED":
        wait.tell(f"node group {group.name} could not be made ({issues(found)}); trying again")
        delete_group(aws, design.name, group.name, wait)
        found = None
    if found is None:
        if group.is_spot:
            ensure_spot_role(aws)
        network = read_network(aws, design).nodes
        subnets = sorted(subnet for subnet, zone in network.items() if zone in group.zones)
        if not subnets:
            raise InvalidInput(
                f"no subnet of the cluster is in a zone that has {group.instance_type}", hint=f"it is in {', '.join(sorted(group.zones))}"
            )
        wait.with_new_role(lambda: aws.eks.create_nodegroup(**group_parameters(design, group, subnets, version)))
    ready = awaited_group(aws, design.name, group.name, wait)
    _tag_for_autoscaler(aws, design.name, group, ready)


def awaited_group(aws: Aws, cluster: str, name: str, wait: Waiter) -> Mapping[str, Any]:
    """The group, once it is active. Raises `AwsRefused` if EKS could not start its machines."""
    return wait.until(f"node group {name}", lambda: _is_active(aws, cluster, name), minutes=CREATE_MINUTES)


def ensure_spot_role(aws: Aws) -> None:
    """Have the role there by which the account uses spot instances: one for all of the account, which stays."""
    if is_found(aws.iam.get_role, RoleName=SPOT_ROLE) is None:
        try:
            aws.iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
        except AwsRefused as error:
            if "has been taken" not in error.said:  # another was quicker
                raise


def group_parameters(design: Design, group: Group, subnets: list[str], template_version: str) -> dict[str, Any]:
    """The parameters of `create_nodegroup`."""
    return {
        "clusterName": design.name,
        "nodegroupName": group.name,
        "subnets": subnets,
        "nodeRole": role_arn(design, "nodes"),
        "amiType": group.ami_type,
        "capacityType": "SPOT" if group.is_spot else "ON_DEMAND",
        "scalingConfig": {"minSize": group.low, "maxSize": group.high, "desiredSize": group.low},
        "launchTemplate": {"name": template_name(design.name, group), "version": template_version},
        **({"instanceTypes": [group.instance_type, *group.alternatives]} if group.alternatives else {}),
        "labels": group.labels,
        "taints": group.taints,
        # The other strategy starts new machines before it stops old ones, which a quota of GPUs seldom allows.
        "updateConfig": {"maxUnavailable": 1, **({"updateStrategy": "MINIMAL"} if group.pool == "gpu" else {})},
        "tags": tag_map(design.name),
    }


def template_data(cluster: str, group: Group) -> dict[str, Any]:
    """The launch template. It names no security group: EKS would then leave its own out, and no node could join."""
    disk = {"VolumeSize": group.volume, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    tags = tag_list(cluster, resource_name(cluster, group.pool))
    return {
        # Several types are named in the group: EKS takes them from there or from here.
        **({} if group.alternatives else {"InstanceType": group.instance_type}),
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": disk}],
        # One hop: pods do not reach the credentials of their node.
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }


def autoscaler_tags(group: Group) -> dict[str, str]:
    """What the autoscaler must know of the nodes of a group that has none: it cannot look at one."""
    tags = {f"{TEMPLATE}/label/{key}": value for key, value in group.labels.items()}
    tags |= {f"{TEMPLATE}/taint/{one['key']}": f"{one['value']}:NoSchedule" for one in group.taints}
    return tags | {f"{TEMPLATE}/resources/ephemeral-storage": f"{group.volume}Gi"}


def _ensure_template(aws: Aws, cluster: str, group: Group) -> str:
    name = template_name(cluster, group)
    found = is_found(aws.ec2.describe_launch_templates, LaunchTemplateNames=[name])
    if found and found["LaunchTemplates"]:
        return str(found["LaunchTemplates"][0]["LatestVersionNumber"])
    made = aws.ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData=template_data(cluster, group),
        TagSpecifications=tag_specification("launch-template", cluster, name),
    )
    return str(made["LaunchTemplate"]["LatestVersionNumber"])


def _tag_for_autoscaler(aws: Aws, cluster: str, group: Group, ready: Mapping[str, Any]) -> None:
    """EKS does not pass the tags of a group on to the Auto Scaling group behind it."""
    for one in ready.get("resources", {}).get("autoScalingGroups", []):
        name = one["name"]
        filters = [{"Name": "auto-scaling-group", "Values": [name]}]
        present = {tag["Key"]: tag.get("Value") for tag in aws.client("autoscaling").every("describe_tags", "Tags", Filters=filters)}
        wanted = autoscaler_tags(group) | tag_map(cluster)
        lacking = [key for key, value in wanted.items() if present.get(key) != value]
        if lacking:
            facts = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
            aws.client("autoscaling").create_or_update_tags(Tags=[{**facts, "Key": key, "Value": wanted[key]} for key in lacking])


def read_group(aws: Aws, cluster: str, name: str) -> Mapping[str, Any] | None:
    """What EKS says of a node group, None if there is none of that name."""
    found = is_found(aws.eks.describe_nodegroup, clusterName=cluster, nodegroupName=name)
    return found["nodegroup"] if found else None


def read_node_prices(aws: Aws, cluster: str) -> dict[str, float]:
    """What a node of each group costs an hour, by the label that EKS gives to its nodes. Groups without a known price are left out."""
    wanted = {}
    for name in list_groups(aws, cluster):
        group = read_group(aws, cluster, name) or {}
        template = (group.get("launchTemplate") or {}).get("name")
        found = template and is_found(aws.ec2.describe_launch_template_versions, LaunchTemplateName=template, Versions=["$Latest"])
        if found:
            data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
            kind = data.get("InstanceType") or (group.get("instanceTypes") or [""])[0]
            wanted[name] = (kind, data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"])
    prices = read_prices(aws, (kind for kind, _ in wanted.values() if kind))
    has_address = not aws.ec2.describe_nat_gateways(Filters=tag_filter(cluster))["NatGateways"]
    found_prices = {name: prices.node(kind, volume, has_address=has_address) for name, (kind, volume) in wanted.items()}
    return {f"{GROUP_LABEL}={name}": round(price, 6) for name, price in found_prices.items() if price is not None}


def list_groups(aws: Aws, cluster: str) -> list[str]:
    """The names of all node groups of the cluster; none if there is no cluster."""
    found = is_found(aws.eks.list_nodegroups, clusterName=cluster)
    return aws.eks.every("list_nodegroups", "nodegroups", clusterName=cluster) if found else []


def delete_groups(aws: Aws, cluster: str, wait: Waiter) -> None:
    """Delete all node groups, at the same time, and our launch templates."""
    names = list_groups(aws, cluster)
    for name in names:
        _start_deletion(aws, cluster, name)
    for name in names:
        delete_group(aws, cluster, name, wait)
    for one in aws.ec2.every("describe_launch_templates", "LaunchTemplates", Filters=tag_filter(cluster)):
        ignore_missing(aws.ec2.delete_launch_template, LaunchTemplateId=one["LaunchTemplateId"])


def delete_group(aws: Aws, cluster: str, name: str, wait: Waiter) -> None:
    """Delete one node group and wait until it is gone."""
    wait.until(f"node group {name}", lambda: _is_gone(aws, cluster, name), minutes=DELETE_MINUTES)


def _start_deletion(aws: Aws, cluster: str, name: str) -> None:
    group = read_group(aws, cluster, name)
    if group is None or group["status"] == "DELETING":
        return
    try:
        ignore_missing(aws.eks.delete_nodegroup, clusterName=cluster, nodegroupName=name)
    except AwsRefused as error:
        # While it is being made or updated EKS refuses, and takes the call later.
        if error.code != "ResourceInUseException":
            raise


def _is_gone(aws: Aws, cluster: str, name: str) -> tuple[bool | None, str]:
    group = read_group(aws, cluster, name)
    if group is None:
        return True, "gone"
    if group["status"] == "DELETE_FAILED":
        raise AwsRefused(f"EKS could not delete node group {name}: {issues(group)}", hint="remove what it names, then the same command goes on")
    _start_deletion(aws, cluster, name)
    return None, "being deleted"


def _is_active(aws: Aws, cluster: str, name: str) -> tuple[Mapping[str, Any] | None, str]:
    group = read_group(aws, cluster, name)
    status = group["status"] if group else "CREATING"
    if group and status in ("CREATE_FAILED", "DEGRADED"):
        raise AwsRefused(
            f"EKS could not start the machines of node group {name}: {issues(group)}",
            hint="if it is for want of machines or of quota, change the type or ask for more; then the same command goes on",
        )
    return (group if status == "ACTIVE" else None), status.lower()
