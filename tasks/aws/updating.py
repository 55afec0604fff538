"""A cluster is made to follow its cluster.yml: the version of Kubernetes, then machines and add-ons, sizes, policies; last what goes."""

from collections.abc import Mapping
from typing import Any

from tasks.aws.addons import addon_versions, read_addon, update_addon
from tasks.aws.control_plane import read_cluster, update_version
from tasks.aws.design import ADDONS, Design, Group
from tasks.aws.errors import AwsRefused
from tasks.aws.names import resource_name, role_name
from tasks.aws.node_groups import awaited_group, delete_group, read_group
from tasks.aws.plan import Plan
from tasks.aws.pod_identity import delete_identity
from tasks.aws.roles import attached_policies, delete_role, detach
from tasks.aws.session import Aws, ignore_missing
from tasks.aws.steps import Step, creation
from tasks.aws.update_plan import RETIRED, Present, is_newer, is_retired, removable_policies, sizes_of
from tasks.aws.updates import read_obstacles, wait_for_update
from tasks.aws.waiting import Waiter


def read_present(aws: Aws, design: Design, groups: Mapping[str, Mapping[str, Any]], denied: list[str]) -> Present:
    """What the plan of an update depends on besides the inventory. `denied` gets what could not be asked."""
    cluster = read_cluster(aws, design.name)
    goes_up = cluster is not None and cluster.get("version") != design.version
    return Present(
        machines={name: running_machines(aws, group) for name, group in groups.items()},
        policies={kind: attached_policies(aws, role_name(design.name, kind, design.region)) for kind in ("nodes", "model")},
        addons=addon_versions(aws, design, (*ADDONS, "coredns")) if cluster is not None else {},
        obstacles=tuple(read_obstacles(aws, design.name, design.version, denied)) if goes_up else (),
    )


def running_machines(aws: Aws, group: Mapping[str, Any]) -> int:
    """How many machines a group is meant to have at the moment, as the autoscaler has it."""
    names = [one["name"] for one in (group.get("resources") or {}).get("autoScalingGroups", [])]
    found = aws.client("autoscaling").every("describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=names) if names else []
    return sum(one["DesiredCapacity"] for one in found)


def updating(aws: Aws, design: Design, plan: Plan, model_account: str) -> list[Step]:
    """The steps. Everything that `create` does is among them, so that what is lacking is added; each finds by itself what is left to do."""
    groups = {one.name: one for one in design.groups}
    steps = [Step(0, f"Kubernetes {design.version}", lambda wait: update_version(aws, design, wait)), *creation(aws, design, model_account)]
    for one in plan.changes:
        if one.kind == "node group" and one.action == "change" and one.name in groups:
            # The machines of the system group first: what runs there serves all others.
            stage = 6 if groups[one.name].pool == "system" else 7
            steps.append(Step(stage, f"node group {one.name}", _follow(aws, design, groups[one.name])))
        elif one.kind == "node group" and one.action == "change":
            steps.append(Step(8, f"retirement of {one.name}", lambda wait, name=one.name: retire(aws, design.name, name, wait)))
        elif one.kind == "node group" and one.action == "delete":
            steps.append(Step(9, f"removal of {one.name}", lambda wait, name=one.name: remove(aws, design.name, name, wait)))
    if any(one.kind == "add-on" and one.action == "change" for one in plan.changes):
        steps.append(Step(8, "versions of add-ons", lambda wait: _update_addons(aws, design, wait)))
    if any(one.kind == "role" and one.action in ("change", "delete") for one in plan.changes):
        steps.append(Step(8, "policies", lambda wait: take_policies(aws, design, model_account)))
    return steps


def _follow(aws: Aws, design: Design, group: Group) -> Any:
    def follow(wait: Waiter) -> None:
        replace_machines(aws, design, group.name, wait)
        resize(aws, design.name, group.name, group.low, group.high, wait)

    return follow


def replace_machines(aws: Aws, design: Design, name: str, wait: Waiter) -> None:
    """Have the machines of a group at the cluster's version of Kubernetes."""
    group = awaited_group(aws, design.name, name, wait)
    if group.get("version") in (None, design.version):
        return
    update = aws.eks.update_nodegroup_version(clusterName=design.name, nodegroupName=name, version=design.version)["update"]["id"]
    wait_for_update(aws, design.name, update, f"machines of node group {name}", wait, nodegroupName=name)


def resize(aws: Aws, cluster: str, name: str, low: int, high: int, wait: Waiter) -> None:
    """Change how many nodes a group may have. How many it has is the autoscaler's: that is only brought between the new bounds."""
    group = awaited_group(aws, cluster, name, wait)
    if sizes_of(group) == (low, high) and not is_retired(group):
        return
    desired = min(max(running_machines(aws, group), low), high)
    changes: dict[str, Any] = {"scalingConfig": {"minSize": low, "maxSize": high, "desiredSize": desired}}
    if is_retired(group):
        changes["taints"] = {"removeTaints": [RETIRED]}
    _configure(aws, cluster, name, changes, f"size of node group {name}", wait)


def retire(aws: Aws, cluster: str, name: str, wait: Waiter) -> None:
    """Have a group take no new training runs, and grow no more; the autoscaler ends its machines as they become idle."""
    group = awaited_group(aws, cluster, name, wait)
    if is_retired(group):
        return
    running = max(running_machines(aws, group), 1)
    changes = {
        "scalingConfig": {"minSize": 0, "maxSize": running, "desiredSize": running_machines(aws, group)},
        "taints": {"addOrUpdateTaints": [RETIRED]},
    }
    _configure(aws, cluster, name, changes, f"retirement of node group {name}", wait)


def _configure(aws: Aws, cluster: str, name: str, changes: Mapping[str, Any], what: str, wait: Waiter) -> None:
    update = aws.eks.update_nodegroup_config(clusterName=cluster, nodegroupName=name, **changes)["update"]["id"]
    wait_for_update(aws, cluster, update, what, wait, nodegroupName=name)


def _update_addons(aws: Aws, design: Design, wait: Waiter) -> None:
    for name, (has, recommended) in addon_versions(aws, design, (*ADDONS, "coredns")).items():
        if is_newer(recommended, has) and read_addon(aws, design.name, name) is not None:
            update_addon(aws, design.name, name, recommended, wait)


def take_policies(aws: Aws, design: Design, model_account: str) -> None:
    """Take away what cluster.yml no longer lists. The role of training runs is the record of what we gave, so it comes last."""
    roles = {kind: role_name(design.name, kind, design.region) for kind in ("nodes", "model")}
    present = Present(policies={kind: attached_policies(aws, role) for kind, role in roles.items()})
    for policy in removable_policies(design, present):
        for role in roles.values():
            detach(aws, role, policy)
    if not design.policies:
        delete_identity(aws, design.name, design.namespace, model_account)
        delete_role(aws, design.name, roles["model"])


def remove(aws: Aws, cluster: str, name: str, wait: Waiter) -> None:
    """Delete a group that cluster.yml no longer has, unless machines of it have been started meanwhile."""
    group = read_group(aws, cluster, name)
    if group is not None and group["status"] != "DELETING" and not name.startswith("system-") and running_machines(aws, group):
        raise AwsRefused(f"node group {name} has started machines meanwhile", hint="wait until its training runs have ended, then the same command")
    delete_group(aws, cluster, name, wait)
    ignore_missing(aws.ec2.delete_launch_template, LaunchTemplateName=resource_name(cluster, name))
