"""EKS's own updates: waiting for one, and what EKS says stands in the way of the next version."""

from collections.abc import Iterator

from tasks.aws.errors import AwsError, AwsRefused
from tasks.aws.session import Aws
from tasks.aws.waiting import Waiter

UPDATE_MINUTES = 90
"""Machines are replaced one by one, and what runs on each may take a quarter of an hour to leave."""


def wait_for_update(aws: Aws, cluster: str, update: str, what: str, wait: Waiter, **of: str) -> None:
    """Wait until EKS has done an update of the cluster, or `of` a nodegroupName or addonName. Raises `AwsRefused` with its reason if it cannot."""

    def look() -> tuple[bool | None, str]:
        found = aws.eks.describe_update(name=cluster, updateId=update, **of)["update"]
        if found["status"] in ("Failed", "Cancelled"):
            said = "; ".join(f"{one.get('errorCode')}: {one.get('errorMessage')}" for one in found.get("errors", [])) or "it does not say why"
            raise AwsRefused(f"EKS could not change the {what}: {said}", hint="the same command tries it again")
        return (True if found["status"] == "Successful" else None), "being changed"

    wait.until(what, look, minutes=UPDATE_MINUTES)


def read_obstacles(aws: Aws, cluster: str, version: str, denied: list[str]) -> Iterator[str]:
    """What EKS has found on the cluster that would not work with the next version. If it may not be asked, `denied` gets why."""
    try:
        listed = aws.eks.every("list_insights", "insights", clusterName=cluster, filter={"categories": ["UPGRADE_READINESS"]})
    except AwsError as error:
        denied.append(f"whether anything stands in the way of Kubernetes {version} could not be asked: {error.message}")
        return
    for one in listed:
        status = one.get("insightStatus") or {}
        if status.get("status") == "ERROR" and one.get("kubernetesVersion") in (None, version):
            yield f"EKS says that {one.get('name')} stands in the way of Kubernetes {version}: {status.get('reason')}"
