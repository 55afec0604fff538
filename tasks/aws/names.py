"""The names and tags of everything that belongs to one cluster, derived from its name and region alone."""

import hashlib
from typing import Any

TAG = "trialflow:cluster"
"""The tag that says which cluster a resource belongs to. What does not carry it is never changed or deleted."""
ROLES = ("cluster", "nodes", "autoscaler", "model")
LONGEST_ROLE = 64


def tag_list(cluster: str, name: str | None = None) -> list[dict[str, str]]:
    """The tags of a resource of EC2, IAM or ECR; `name` is what the console shows."""
    named = [{"Key": "Name", "Value": name}] if name else []
    return [{"Key": TAG, "Value": cluster}, *named]


def tag_map(cluster: str) -> dict[str, str]:
    """The tags of a resource of EKS."""
    return {TAG: cluster}


def tag_filter(cluster: str) -> list[dict[str, Any]]:
    """The filter of EC2 that finds what carries our tag."""
    return [{"Name": f"tag:{TAG}", "Values": [cluster]}]


def tag_specification(kind: str, cluster: str, name: str) -> list[dict[str, Any]]:
    """Tags that EC2 sets as it creates a resource of this kind (`vpc`): there is no moment without them."""
    return [{"ResourceType": kind, "Tags": tag_list(cluster, name)}]


def resource_name(cluster: str, what: str) -> str:
    """The name of a resource of the cluster, as in `trialflow-NAME-vpc`."""
    return f"trialflow-{cluster}-{what}"


def role_name(cluster: str, kind: str, region: str) -> str:
    """The name of a role. IAM has no regions, so the region is part of it; what is too long ends with a hash."""
    name = f"trialflow-{cluster}-{kind}-{region}"
    return name if len(name) <= LONGEST_ROLE else f"{name[: LONGEST_ROLE - 9]}-{short_hash(name)}"


def role_path(cluster: str) -> str:
    """The path under which the cluster's roles are listed."""
    return f"/trialflow/{cluster}/"


def short_hash(*parts: object) -> str:
    """Eight characters that differ if any of the parts does."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:8]
