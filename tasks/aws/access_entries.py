"""Who may use a cluster: an access entry for each principal, with one of EKS's own access policies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.aws.errors import AwsRefused
from tasks.aws.names import tag_map
from tasks.aws.session import Aws, ignore_missing, is_found
from tasks.aws.waiting import Waiter
from trialflow.errors import InvalidInput

POLICIES = {
    "admin": "AmazonEKSClusterAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
    "view": "AmazonEKSViewPolicy",
}
PRINCIPAL = re.compile(r"arn:aws[-a-z]*:iam::\d{12}:(user|role)/\S+|arn:aws[-a-z]*:iam::\d{12}:root")


@dataclass(frozen=True)
class Access:
    """A principal and the access policies that it has, by their last names."""

    principal: str
    policies: tuple[str, ...]


def check_principal(arn: str) -> str:
    """Return `arn` if an access entry can be about it. Raises `InvalidInput`."""
    if ":assumed-role/" in arn:
        raise InvalidInput(
            f"{arn} is a session of a role, and access is given to the role",
            hint="arn:aws:iam::ACCOUNT:role/NAME, with the role's path if it has one",
        )
    if not PRINCIPAL.fullmatch(arn):
        raise InvalidInput(f"{arn!r} is not the ARN of a user or role", hint="arn:aws:iam::ACCOUNT:user/NAME or arn:aws:iam::ACCOUNT:role/NAME")
    return arn


def ensure_access(aws: Aws, cluster: str, principal: str, wait: Waiter, *, policy: str = "admin") -> None:
    """Have an entry for the principal with this policy, and no other policy of ours."""
    eks, partition = aws.eks, principal.split(":")[1]
    if is_found(eks.describe_access_entry, clusterName=cluster, principalArn=principal) is None:

        def create() -> None:
            try:
                eks.create_access_entry(clusterName=cluster, principalArn=principal, type="STANDARD", tags=tag_map(cluster))
            except AwsRefused as error:
                if error.code != "ResourceInUseException":  # another was quicker
                    raise

        wait.with_new_role(create)
    attached = _policies(aws, cluster, principal)
    wanted = f"arn:{partition}:eks::aws:cluster-access-policy/{POLICIES[policy]}"
    if wanted not in attached:
        eks.associate_access_policy(clusterName=cluster, principalArn=principal, policyArn=wanted, accessScope={"type": "cluster"})
    ours = {f"arn:{partition}:eks::aws:cluster-access-policy/{name}" for name in POLICIES.values()}
    for other in attached:
        if other in ours - {wanted}:
            ignore_missing(eks.disassociate_access_policy, clusterName=cluster, principalArn=principal, policyArn=other)


def remove_access(aws: Aws, cluster: str, principal: str) -> bool:
    """Take the principal's access away. False if it had none."""
    return ignore_missing(aws.eks.delete_access_entry, clusterName=cluster, principalArn=principal)


def read_access(aws: Aws, cluster: str) -> list[Access]:
    """All principals with access, but for those of EKS's own nodes, which have no policies."""
    entries = aws.eks.every("list_access_entries", "accessEntries", clusterName=cluster)
    found = (Access(arn, tuple(one.rpartition("/")[2] for one in _policies(aws, cluster, arn))) for arn in sorted(entries))
    return [one for one in found if one.policies]


def _policies(aws: Aws, cluster: str, principal: str) -> list[str]:
    found: Iterable[dict[str, str]] = aws.eks.every(
        "list_associated_access_policies", "associatedAccessPolicies", clusterName=cluster, principalArn=principal
    )
    return [one["policyArn"] for one in found]
