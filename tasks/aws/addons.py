"""The add-ons of a cluster: the network of pods, kube-proxy, Pod Identity, and the names of services."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.aws.control_plane import issues
from tasks.aws.design import Design
from tasks.aws.errors import AwsRefused
from tasks.aws.names import tag_map
from tasks.aws.session import Aws, ignore_missing, is_found
from tasks.aws.updates import wait_for_update
from tasks.aws.waiting import Waiter

ADDON_MINUTES = 20


def ensure_addons(aws: Aws, design: Design, names: Sequence[str], wait: Waiter, *, is_awaited: bool) -> None:
    """Have these add-ons there, in the version that EKS recommends for the cluster's; if `is_awaited`, until they are active.

    Those for nodes must be there before the first node, and become active only with it.
    """
    for name in names:
        found = read_addon(aws, design.name, name)
        if found is not None and found["status"] == "CREATE_FAILED":
            delete_addon(aws, design.name, name, wait)
            found = None
        if found is None:
            version = read_recommended(aws, design.version, name)
            more: dict[str, str] = {"addonVersion": version} if version else {}
            wait.with_new_role(
                lambda name=name, more=more: aws.eks.create_addon(
                    clusterName=design.name, addonName=name, resolveConflicts="OVERWRITE", tags=tag_map(design.name), **more
                )
            )
    if is_awaited:
        for name in names:
            wait.until(f"add-on {name}", lambda name=name: _is_active(aws, design.name, name), minutes=ADDON_MINUTES)


def read_recommended(aws: Aws, kubernetes: str, name: str) -> str | None:
    """The version of an add-on that EKS recommends for a version of Kubernetes."""
    return recommended(aws.eks.every("describe_addon_versions", "addons", kubernetesVersion=kubernetes, addonName=name), kubernetes)


def addon_versions(aws: Aws, design: Design, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Of each of these add-ons that is there: the version that it has, and the one that EKS recommends."""
    found = {}
    for name in names:
        addon = read_addon(aws, design.name, name)
        best = read_recommended(aws, design.version, name) if addon else None
        if addon and best and addon.get("addonVersion"):
            found[name] = (addon["addonVersion"], best)
    return found


def update_addon(aws: Aws, cluster: str, name: str, version: str, wait: Waiter) -> None:
    """Have an add-on in that version. What was changed in its settings by hand stays."""
    wait.until(f"add-on {name}", lambda: _is_active(aws, cluster, name), minutes=ADDON_MINUTES)
    if (addon := read_addon(aws, cluster, name)) is not None and addon.get("addonVersion") == version:
        return
    update = aws.eks.update_addon(clusterName=cluster, addonName=name, addonVersion=version, resolveConflicts="PRESERVE")["update"]["id"]
    wait_for_update(aws, cluster, update, f"version of add-on {name}", wait, addonName=name)


def recommended(addons: Sequence[Mapping[str, Any]], version: str) -> str | None:
    """The version of an add-on that is the default for this version of Kubernetes; None if EKS names none, and then chooses itself."""
    for addon in addons:
        for one in addon.get("addonVersions", []):
            if any(fit.get("clusterVersion") == version and fit.get("defaultVersion") for fit in one.get("compatibilities", [])):
                return one["addonVersion"]
    return None


def read_addon(aws: Aws, cluster: str, name: str) -> Mapping[str, Any] | None:
    """What EKS says of an add-on, None if the cluster does not have it."""
    found = is_found(aws.eks.describe_addon, clusterName=cluster, addonName=name)
    return found["addon"] if found else None


def delete_addon(aws: Aws, cluster: str, name: str, wait: Waiter) -> None:
    """Delete an add-on and wait until it is gone."""
    if read_addon(aws, cluster, name) is not None and ignore_missing(aws.eks.delete_addon, clusterName=cluster, addonName=name):
        wait.until(f"add-on {name}", lambda: (True, "gone") if read_addon(aws, cluster, name) is None else (None, "being deleted"), minutes=10)


def _is_active(aws: Aws, cluster: str, name: str) -> tuple[bool | None, str]:
    addon = read_addon(aws, cluster, name)
    status = addon["status"] if addon else "CREATING"
    if addon and status == "CREATE_FAILED":
        raise AwsRefused(f"EKS could not install the add-on {name}: {issues(addon)}", hint="the same command tries it again")
    # DEGRADED passes: coredns is, until it has found a node.
    return (True if status == "ACTIVE" else None), status.lower()
