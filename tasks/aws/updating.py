"""A cluster is made to follow its cluster.yml: sizes in place, groups and policies added, groups that are idle taken away; the rest is refused."""

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.aws.design import Design
from tasks.aws.errors import AwsRefused
from tasks.aws.inventory import Inventory
from tasks.aws.names import resource_name
from tasks.aws.node_groups import delete_group, read_group
from tasks.aws.plan import Change, Plan, check_cost, cost_of, expected
from tasks.aws.roles import policies_of, role_name
from tasks.aws.session import Aws, ignore_missing
from tasks.aws.steps import Step, creation
from tasks.aws.waiting import Waiter
from trialflow.errors import InvalidInput

UPDATE_MINUTES = 20


def plan_update(design: Design, found: Inventory, busy: Iterable[str], attached: Iterable[str], model_account: str, *, limit: float | None) -> Plan:
    """What `cluster update` does. `busy` are groups with machines that run; `attached` are the policies of the nodes' role.

    Raises `InvalidInput` with everything that cannot be changed, and why.
    """
    cluster, groups = found.cluster, found.groups or {}
    if cluster is None:
        raise InvalidInput(f"there is no cluster {design.name} in {design.region}", hint="`trialflow cluster create` makes it")
    wanted = {one.name: one for one in design.groups}
    removed = [name for name in groups if name not in wanted]
    if refused := [*_refused(design, cluster), *_still_needed(removed, busy)]:
        raise InvalidInput(f"cluster {design.name} cannot be changed so: {'; '.join(refused)}", hint="nothing was changed")
    changes = [Change("keep" if found.has(kind, name) else "create", kind, name) for kind, name in expected(design, model_account)]
    resized = {name for name, group in groups.items() if name in wanted and sizes_of(group) != (wanted[name].low, wanted[name].high)}
    lacking = set(policies_of(design, "nodes")) - set(attached)
    for index, one in enumerate(changes):
        is_role = one.kind == "role" and one.name == role_name(design.name, "nodes", design.region)
        if one.action == "keep" and ((one.kind == "node group" and one.name in resized) or (is_role and lacking)):
            changes[index] = Change("change", one.kind, one.name, _told(one, groups, wanted, lacking))
    for name in removed:
        changes += [Change("delete", "node group", name), Change("delete", "launch template", resource_name(design.name, name))]
    cost = cost_of(design)
    check_cost(design.name, cost, limit)
    return Plan(design.name, design.region, tuple(changes), cost, design.warnings)


def sizes_of(group: Mapping[str, Any]) -> tuple[int, int]:
    """The smallest and the largest number of nodes that a group may have."""
    sizes = group.get("scalingConfig") or {}
    return sizes.get("minSize", 0), sizes.get("maxSize", 0)


def _told(one: Change, groups: Mapping[str, Any], wanted: Mapping[str, Any], lacking: set[str]) -> str:
    if one.kind == "role":
        return f"gets {', '.join(sorted(lacking))}"
    (low, high), group = sizes_of(groups[one.name]), wanted[one.name]
    return f"from {low} to {high} nodes, to {group.low} to {group.high}"


def _refused(design: Design, cluster: Mapping[str, Any]) -> Iterable[str]:
    if cluster.get("status") != "ACTIVE":
        yield f"it is {str(cluster.get('status')).lower()}; wait until it is active"
    if cluster.get("version") != design.version:
        versions = f"it runs Kubernetes {cluster.get('version')} and cluster.yml comes to {design.version}"
        yield f"{versions}: the version is not changed in place, make a new cluster"
    if (network := cluster.get("resourcesVpcConfig")) and design.subnets and set(network.get("subnetIds", [])) != set(design.subnets):
        yield "its subnets are others: they cannot be changed, make a new cluster"


def _still_needed(removed: Iterable[str], busy: Iterable[str]) -> Iterable[str]:
    for name in removed:
        if name.startswith("system-"):
            yield f"node group {name} runs the cluster's own programs: its machines cannot be changed in place, make a new cluster"
        elif name in busy:
            yield f"node group {name}, which cluster.yml no longer has, has machines that run; wait until its training runs have ended"


def running_nodes(aws: Aws, group: Mapping[str, Any]) -> int:
    """How many machines a group is meant to have at the moment, as the autoscaler has it."""
    names = [one["name"] for one in (group.get("resources") or {}).get("autoScalingGroups", [])]
    found = aws.client("autoscaling").every("describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=names) if names else []
    return sum(one["DesiredCapacity"] for one in found)


def updating(aws: Aws, design: Design, plan: Plan, model_account: str) -> list[Step]:
    """The steps: everything that `create` does, so that what is lacking is added, then sizes, then what goes."""
    groups = {one.name: one for one in design.groups}
    steps = creation(aws, design, model_account)
    for one in plan.changes:
        if one.action == "change" and one.kind == "node group":
            group = groups[one.name]
            steps.append(Step(6, f"size of {one.name}", lambda wait, group=group: resize(aws, design.name, group.name, group.low, group.high, wait)))
        elif one.action == "delete" and one.kind == "node group":
            steps.append(Step(7, f"removal of {one.name}", lambda wait, name=one.name: remove(aws, design.name, name, wait)))
    return steps


def resize(aws: Aws, cluster: str, name: str, low: int, high: int, wait: Waiter) -> None:
    """Change how many nodes a group may have. How many it has is the autoscaler's: that is only brought between the new bounds."""
    group = read_group(aws, cluster, name)
    if group is None or sizes_of(group) == (low, high):
        return
    desired = min(max(running_nodes(aws, group), low), high)
    sizes = {"minSize": low, "maxSize": high, "desiredSize": desired}
    update = aws.eks.update_nodegroup_config(clusterName=cluster, nodegroupName=name, scalingConfig=sizes)["update"]["id"]
    wait.until(f"size of node group {name}", lambda: _is_updated(aws, cluster, name, update), minutes=UPDATE_MINUTES)


def _is_updated(aws: Aws, cluster: str, group: str, update: str) -> tuple[bool | None, str]:
    found = aws.eks.describe_update(name=cluster, nodegroupName=group, updateId=update)["update"]
    if found["status"] in ("Failed", "Cancelled"):
        said = "; ".join(f"{one.get('errorCode')}: {one.get('errorMessage')}" for one in found.get("errors", [])) or "it does not say why"
        raise AwsRefused(f"EKS could not change the size of node group {group}: {said}", hint="the same command tries it again")
    return (True if found["status"] == "Successful" else None), "being changed"


def remove(aws: Aws, cluster: str, name: str, wait: Waiter) -> None:
    """Delete a group that cluster.yml no longer has, unless machines of it have been started meanwhile."""
    group = read_group(aws, cluster, name)
    if group is not None and group["status"] != "DELETING" and running_nodes(aws, group):
        raise AwsRefused(f"node group {name} has started machines meanwhile", hint="wait until its training runs have ended, then the same command")
    delete_group(aws, cluster, name, wait)
    ignore_missing(aws.ec2.delete_launch_template, LaunchTemplateName=resource_name(cluster, name))
