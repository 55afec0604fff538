"""How a cluster is by AWS's account: for how long its version of Kubernetes is supported, and which machines could not be started."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tasks.aws.control_plane import issues, read_cluster
from tasks.aws.errors import AwsMissing
from tasks.aws.facts import read_versions
from tasks.aws.node_groups import list_groups, read_group
from tasks.aws.prices import CONTROL_PLANE, EXTENDED_CONTROL_PLANE
from tasks.aws.session import Aws

SOON = timedelta(days=60)
RECENT = timedelta(hours=1)
"""How long a machine that could not be started is worth a word. The autoscaler tries again every few minutes while it is wanted."""


@dataclass(frozen=True)
class Health:
    """`end` is the last day of standard support, None if it is not known; `troubles` are sentences about groups and their machines."""

    version: str
    end: date | None
    is_extended: bool
    troubles: tuple[str, ...] = ()

    @property
    def price(self) -> float:
        """What the control plane costs an hour, in dollars."""
        return EXTENDED_CONTROL_PLANE if self.is_extended else CONTROL_PLANE

    def lines(self, today: date) -> list[str]:
        """All of it for people, the version first."""
        price = f"the control plane costs ${self.price:.2f} an hour"
        if self.is_extended:
            update = f"`trialflow cluster update` to a newer version makes it ${CONTROL_PLANE:.2f}"
            return [f"Kubernetes {self.version} is in extended support: {price}; {update}", *self.troubles]
        until = f", with standard support until {self.end}" if self.end else ""
        said = [f"Kubernetes {self.version}{until}; {price}"]
        if self.end and self.end - today < SOON:
            said.append("set `kubernetes_version` and `trialflow cluster update` before: AWS would then update the control plane, but no machines")
        return [*said, *self.troubles]

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        end = self.end.isoformat() if self.end else None
        return {"version": self.version, "standard_support_ends": end, "is_extended": self.is_extended, "troubles": list(self.troubles)}


def read_health(aws: Aws, name: str, *, now: datetime) -> Health:
    """Ask AWS. Raises `AwsMissing` if EKS has no cluster of that name, other `AwsError` if it may not be asked."""
    cluster = read_cluster(aws, name)
    if cluster is None:
        raise AwsMissing(f"there is no cluster {name} in {aws.region} of account {aws.account}")
    version = str(cluster.get("version"))
    known = next((one for one in read_versions(aws) if one.name == version), None)
    troubles: list[str] = []
    for one in list_groups(aws, name):
        if (group := read_group(aws, name, one)) is not None:
            troubles += troubles_of(group, _activities(aws, group), now)
    return Health(version, known.end if known else None, bool(known and not known.is_standard), tuple(troubles))


def troubles_of(group: Mapping[str, Any], activities: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """What is wrong with a node group: what EKS says of it, and why the last machine that was wanted could not be started."""
    name = group.get("nodegroupName")
    if (group.get("health") or {}).get("issues"):
        yield f"node group {name}: {issues(group)}"
    newest = max(activities, key=lambda one: one["StartTime"], default=None)
    if newest and newest.get("StatusCode") in ("Failed", "Cancelled") and now - newest["StartTime"] < RECENT:
        yield f"node group {name} could not start a machine: {newest.get('StatusMessage') or newest.get('Description')}"


def _activities(aws: Aws, group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for one in (group.get("resources") or {}).get("autoScalingGroups", []):
        answer = aws.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=one["name"], MaxRecords=10)
        found += answer["Activities"]
    return found
