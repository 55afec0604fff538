"""Which service accounts of a cluster act as which role of AWS."""

from tasks.aws.control_plane import read_cluster
from tasks.aws.design import Design
from tasks.aws.names import tag_map
from tasks.aws.roles import role_arn
from tasks.aws.session import Aws, ignore_missing
from tasks.aws.waiting import Waiter

AUTOSCALER = ("kube-system", "cluster-autoscaler")


def wanted_identities(design: Design, model_account: str) -> list[tuple[str, str, str]]:
    """(namespace, service account, kind of role) of all associations. Training runs have one if there are policies for them."""
    wanted: list[tuple[str, str, str]] = [(*AUTOSCALER, "autoscaler")]
    return [*wanted, (design.namespace, model_account, "model")] if design.policies else wanted


def expected_identities(design: Design, model_account: str) -> list[tuple[str, str]]:
    """What `ensure_identities` makes, as (kind, name)."""
    return [("pod identity", f"{namespace}/{account}") for namespace, account, _ in wanted_identities(design, model_account)]


def ensure_identities(aws: Aws, design: Design, model_account: str, wait: Waiter) -> None:
    """Have the associations there. A pod gets what there is when it starts, so they come before the pods."""
    present = {(one["namespace"], one["serviceAccount"]) for one in _listed(aws, design.name)}
    for namespace, account, kind in wanted_identities(design, model_account):
        if (namespace, account) not in present:
            wait.with_new_role(
                lambda namespace=namespace, account=account, kind=kind: aws.eks.create_pod_identity_association(
                    clusterName=design.name, namespace=namespace, serviceAccount=account, roleArn=role_arn(design, kind), tags=tag_map(design.name)
                )
            )


def delete_identities(aws: Aws, cluster: str) -> None:
    """Delete all associations of the cluster."""
    if read_cluster(aws, cluster) is None:
        return
    for one in _listed(aws, cluster):
        ignore_missing(aws.eks.delete_pod_identity_association, clusterName=cluster, associationId=one["associationId"])


def delete_identity(aws: Aws, cluster: str, namespace: str, account: str) -> None:
    """Delete the association of one service account."""
    for one in _listed(aws, cluster):
        if (one["namespace"], one["serviceAccount"]) == (namespace, account):
            ignore_missing(aws.eks.delete_pod_identity_association, clusterName=cluster, associationId=one["associationId"])


def list_identities(aws: Aws, cluster: str) -> list[str]:
    """The associations of a cluster that exists, as `namespace/account`."""
    return [f"{one['namespace']}/{one['serviceAccount']}" for one in _listed(aws, cluster)]


def _listed(aws: Aws, cluster: str) -> list[dict[str, str]]:
    return aws.eks.every("list_pod_identity_associations", "associations", clusterName=cluster)
