"""The control plane of a cluster: EKS's own machines."""

from collections.abc import Mapping
from typing import Any

from tasks.aws.design import Design
from tasks.aws.errors import AwsMissing, AwsRefused
from tasks.aws.names import TAG, tag_map
from tasks.aws.network import read_network
from tasks.aws.roles import role_arn
from tasks.aws.session import Aws, is_found
from tasks.aws.updates import UPDATE_MINUTES, wait_for_update
from tasks.aws.waiting import Waiter

CREATE_MINUTES = 30
DELETE_MINUTES = 60


def read_cluster(aws: Aws, name: str) -> Mapping[str, Any] | None:
    """What EKS says of the cluster, None if there is none of that name."""
    found = is_found(aws.eks.describe_cluster, name=name)
    return found["cluster"] if found else None


def require_ours(cluster: Mapping[str, Any], doing: str) -> None:
    """Raise `AwsRefused` if trialflow did not make this cluster."""
    if (cluster.get("tags") or {}).get(TAG) != cluster["name"]:
        raise AwsRefused(
            f"will not {doing} cluster {cluster['name']}: trialflow did not make it, for it lacks the tag {TAG}",
            hint=f"`trialflow cluster connect --cluster-name {cluster['name']} --provider aws` works with it as it is",
        )


def ensure_control_plane(aws: Aws, design: Design, wait: Waiter) -> None:
    """Have the control plane there and active."""
    found = read_cluster(aws, design.name)
    if found is None:
        subnets = sorted(read_network(aws, design).cluster)
        wait.with_new_role(lambda: _create(aws, design, subnets))
    else:
        require_ours(found, "change")
    wait.until(f"control plane {design.name}", lambda: _is_active(aws, design.name), minutes=CREATE_MINUTES)


def _create(aws: Aws, design: Design, subnets: list[str]) -> None:
    aws.eks.create_cluster(
        name=design.name,
        roleArn=role_arn(design, "cluster"),
        version=design.version,
        resourcesVpcConfig={"subnetIds": subnets, "endpointPublicAccess": True, "endpointPrivateAccess": True},
        # With the creator's rights left out and an entry of our own instead, it makes no difference who runs the command the second time.
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        bootstrapSelfManagedAddons=False,
        upgradePolicy={"supportType": "EXTENDED" if design.is_extended else "STANDARD"},
        tags=tag_map(design.name),
    )


def update_version(aws: Aws, design: Design, wait: Waiter) -> None:
    """Have the control plane at the design's version of Kubernetes, which is the one after its own."""
    cluster = wait.until(f"control plane {design.name}", lambda: _is_active(aws, design.name), minutes=UPDATE_MINUTES)
    if cluster.get("version") != design.version:
        update = aws.eks.update_cluster_version(name=design.name, version=design.version)["update"]["id"]
        wait_for_update(aws, design.name, update, f"version of control plane {design.name}", wait)
    if lasts_too_long(cluster, design):
        wait.until(f"control plane {design.name}", lambda: _is_active(aws, design.name), minutes=UPDATE_MINUTES)
        update = aws.eks.update_cluster_config(name=design.name, upgradePolicy={"supportType": "STANDARD"})["update"]["id"]
        wait_for_update(aws, design.name, update, f"support of control plane {design.name}", wait)


def lasts_too_long(cluster: Mapping[str, Any], design: Design) -> bool:
    """Whether a cluster was made in extended support, and would slip into it again although its version is in standard support now."""
    return (cluster.get("upgradePolicy") or {}).get("supportType") == "EXTENDED" and not design.is_extended


def _is_active(aws: Aws, name: str) -> tuple[Mapping[str, Any] | None, str]:
    cluster = read_cluster(aws, name)
    status = cluster["status"] if cluster else "CREATING"
    if cluster and status == "FAILED":
        raise AwsRefused(
            f"EKS could not make cluster {name}: {issues(cluster)}", hint=f"`trialflow cluster destroy --cluster-name {name}`, then again"
        )
    if status == "DELETING":
        raise AwsRefused(f"cluster {name} is being deleted", hint=f"wait for it: `trialflow cluster destroy --cluster-name {name}`, then again")
    return (cluster if status == "ACTIVE" else None), status.lower()


def issues(resource: Mapping[str, Any]) -> str:
    """What EKS says is wrong with a cluster, a group or an add-on."""
    found = (resource.get("health") or {}).get("issues") or []
    return "; ".join(f"{one.get('code')}: {one.get('message')}" for one in found) or "it does not say why"


def delete_control_plane(aws: Aws, name: str, wait: Waiter) -> None:
    """Delete the control plane and wait until it is gone. Its groups must be gone before."""
    cluster = read_cluster(aws, name)
    if cluster is None:
        return
    require_ours(cluster, "destroy")
    wait.until(f"control plane {name}", lambda: _is_gone(aws, name), minutes=DELETE_MINUTES)


def _is_gone(aws: Aws, name: str) -> tuple[bool | None, str]:
    cluster = read_cluster(aws, name)
    if cluster is None:
        return True, "gone"
    if cluster["status"] == "DELETING":
        return None, "being deleted"
    try:
        aws.eks.delete_cluster(name=name)
    except AwsMissing:
        return True, "gone"
    except AwsRefused as error:
        # While it is being made or updated EKS refuses, and takes the call later.
        if error.code != "ResourceInUseException" or (cluster["status"] == "ACTIVE" and "in progress" not in error.said):
            raise
        return None, "busy"
    return None, "being deleted"
