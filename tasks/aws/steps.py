"""The steps of making and destroying a cluster, in order. Each finds by itself what earlier ones made, and can be done again at any time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.aws.access_entries import ensure_access
from tasks.aws.addons import delete_addon, ensure_addons
from tasks.aws.control_plane import delete_control_plane, ensure_control_plane, read_cluster, require_ours
from tasks.aws.design import ADDONS, Design
from tasks.aws.network import delete_network, ensure_network
from tasks.aws.node_groups import delete_groups, ensure_group
from tasks.aws.pod_identity import delete_identities, ensure_identities
from tasks.aws.repositories import delete_repositories
from tasks.aws.roles import delete_roles, ensure_roles
from tasks.aws.session import Aws
from tasks.aws.waiting import Waiter


@dataclass(frozen=True)
class Step:
    """One step: what it is about, and what it does. Steps of the same `stage` may be done at the same time."""

    stage: int
    name: str
    do: Callable[[Waiter], None]


def creation(aws: Aws, design: Design, model_account: str) -> list[Step]:
    """What makes a cluster, but for what is installed on it by Kubernetes."""
    name = design.name
    steps = [
        Step(1, "network", lambda wait: ensure_network(aws, design, wait)),
        Step(1, "roles", lambda wait: ensure_roles(aws, design)),
        Step(2, "control plane", lambda wait: ensure_control_plane(aws, design, wait)),
        Step(3, "access", lambda wait: ensure_access(aws, name, design.principal, wait)),
        # Without these no node becomes ready, so they come before the nodes.
        Step(3, "add-ons for nodes", lambda wait: ensure_addons(aws, design, ADDONS, wait, is_awaited=False)),
        _group_step(4, aws, design, design.system.name),
    ]
    steps += [_group_step(5, aws, design, one.name) for one in design.groups if one.pool != "system"]
    steps += [
        Step(5, "add-ons", lambda wait: ensure_addons(aws, design, (*ADDONS, "coredns"), wait, is_awaited=True)),
        Step(5, "pod identities", lambda wait: ensure_identities(aws, design, model_account, wait)),
    ]
    return steps


def _group_step(stage: int, aws: Aws, design: Design, group: str) -> Step:
    return Step(stage, f"node group {group}", lambda wait: ensure_group(aws, design, group, wait))


def destruction(aws: Aws, name: str) -> list[Step]:
    """What deletes a cluster, whatever there is of it. Raises `AwsRefused` before anything is deleted if the cluster is not ours."""
    if (cluster := read_cluster(aws, name)) is not None:
        require_ours(cluster, "destroy")
    return [
        # Its disruption budget would hold up the draining of the last node.
        Step(1, "add-on coredns", lambda wait: delete_addon(aws, name, "coredns", wait)),
        Step(1, "pod identities", lambda wait: delete_identities(aws, name)),
        Step(2, "node groups", lambda wait: delete_groups(aws, name, wait)),
        Step(3, "control plane", lambda wait: delete_control_plane(aws, name, wait)),
        Step(4, "network", lambda wait: delete_network(aws, name, wait)),
        Step(4, "roles", lambda wait: delete_roles(aws, name)),
        Step(4, "image repositories", lambda wait: delete_repositories(aws, name)),
    ]


def do(steps: Iterable[Step], wait: Waiter) -> None:
    """Do the steps one after the other."""
    for step in sorted(steps, key=lambda one: one.stage):
        step.do(wait)
