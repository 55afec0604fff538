"""The Secret with the token of one attempt, for pods that reach the service: it is called like the attempt's Job.

It belongs to the ConfigMap of its experiment, so Kubernetes deletes it with that if nobody was there to do so before.
"""

import base64
from collections.abc import Mapping
from typing import Any

from tasks.compute import Attempt, IssueToken
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import MANAGED_BY, TRAINING_RUN, TRIALFLOW, WORK, is_ours
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.jobs.experiment_objects import delete_ours
from tasks.kubernetes.jobs.pod_template import TOKEN, job_name


async def ensure_token(connection: Connection, attempt: Attempt, uid: str, owner: Mapping[str, Any], issue: IssueToken) -> None:
    """Make the Secret unless it is there: the pod of an attempt that is adopted goes on with the token that it has.

    `owner` is the ConfigMap `uid`. Raises `ClusterRefused` if somebody else has a Secret of that name.
    """
    name = job_name(attempt)
    path = f"/api/v1/namespaces/{connection.namespace}/secrets"
    try:
        found = await ask(connection, "GET", f"{path}/{name}", what=f"look at Secret {name}")
    except Missing:
        manifest = manifest_of(name, attempt, uid, owner, await issue(attempt))
        try:
            found = await ask(connection, "POST", path, what=f"create Secret {name}", body=manifest)
        except Exists:  # made by another flow meanwhile: both tokens are good
            found = await ask(connection, "GET", f"{path}/{name}", what=f"look at Secret {name}")
    if not is_ours(found, uid):
        raise ClusterRefused(
            f"the Secret {name} in namespace {connection.namespace} is not of training run {attempt.training_run_id}, and is left as it is",
            hint=f"`trialflow cluster kubectl -- delete secret {name}` if nobody needs it",
        )


async def delete_token(connection: Connection, attempt: Attempt, uid: str) -> None:
    """Delete the Secret of an attempt that has ended. No error if there is none."""
    await delete_ours(connection, "secrets", job_name(attempt), uid)


def manifest_of(name: str, attempt: Attempt, uid: str, owner: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The Secret. Pure."""
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": uid, "uid": owner["metadata"]["uid"]}
    labels = {MANAGED_BY: TRIALFLOW, WORK: uid, TRAINING_RUN: attempt.training_run_id}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [reference]},
        "type": "Opaque",
        "data": {TOKEN: base64.b64encode(token.encode()).decode()},
    }
