"""What an experiment has on a cluster beside its Jobs: the launcher's files in a ConfigMap, its keys in a Secret."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trialflow.launcher
from tasks.compute import Scope
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import (
    EXPERIMENT,
    MANAGED_BY,
    TRAINING_RUN,
    TRAINING_RUN_NAME,
    TRIALFLOW,
    WORK,
    check_work_name,
    is_ours,
    selector,
)
from tasks.kubernetes.client.requests import ask, delete_exactly
from tasks.kubernetes.jobs.pod_template import LAUNCHER_FILES

FOLDER = Path(trialflow.launcher.__file__).parent


async def ensure_objects(connection: Connection, uid: str, *, owner: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, Any]:
    """Make the ConfigMap `uid` with the launcher and, if there are `keys`, the Secret `uid` with them; bring them up to date if they are there.

    Returns the ConfigMap.

    `owner` are labels that say whose they are (see `owner_labels`). A Secret is never there without the ConfigMap: who looks for what is left over
    needs no right to list Secrets.
    """
    labels = {MANAGED_BY: TRIALFLOW, WORK: check_work_name(uid), **owner}
    metadata = {"name": uid, "labels": labels}
    files = {path.replace("/", "."): (FOLDER / path).read_text() for path in LAUNCHER_FILES}
    made = await _ensure(connection, "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files})
    if keys:
        data = {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}
        await _ensure(connection, "secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
    return made


def owner_labels(scope: Scope) -> dict[str, str]:
    """The labels that say whose the objects of a scope are: an experiment's, or those of one training run by itself."""
    if scope.experiment_id:
        return {EXPERIMENT: scope.experiment_id}
    return {TRAINING_RUN: scope.training_run_id, TRAINING_RUN_NAME: scope.uid} if scope.training_run_id else {}


async def require_secret(connection: Connection, name: str) -> None:
    """Raise `Missing` if the namespace has no Secret `name`."""
    namespace = connection.namespace
    try:
        await ask(connection, "GET", f"/api/v1/namespaces/{namespace}/secrets/{name}", what=f"find the Secret {name} that run.yml names")
    except Missing as error:
        error.hint = (
            f"`trialflow cluster kubectl -- create secret generic {name} --from-literal=KEY=VALUE` makes it in namespace {namespace}; "
            "or take it out of `secrets` in run.yml"
        )
        raise


async def delete_objects(connection: Connection, uid: str) -> None:
    """Delete everything that has the label of `uid`: Jobs with their pods, the ConfigMap, the Secret. No error if nothing is left.

    A ConfigMap or Secret of that name without our labels is somebody else's, and stays. Raises `InvalidInput` if `uid` is no name of ours.
    """
    namespace = connection.namespace
    query = {"labelSelector": selector({WORK: check_work_name(uid)}), "propagationPolicy": "Background"}
    await ask(connection, "DELETE", f"/apis/batch/v1/namespaces/{namespace}/jobs", what="delete Jobs", query=query)
    for kind in ("secrets", "configmaps"):
        await delete_ours(connection, kind, uid, uid)


async def delete_ours(connection: Connection, kind: str, name: str, uid: str) -> None:
    """Delete the ConfigMap or Secret `name` if it has the labels of `uid`. No error if there is none."""
    path = f"/api/v1/namespaces/{connection.namespace}/{kind}/{name}"
    try:
        found = await ask(connection, "GET", path, what=f"look at {kind} {name}")
        if is_ours(found, uid):
            await delete_exactly(connection, path, found["metadata"]["uid"], what=f"delete {kind} {name}")
    except (Missing, Exists):  # gone, or replaced by another meanwhile
        pass


async def _ensure(connection: Connection, kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    path, name = f"/api/v1/namespaces/{connection.namespace}/{kind}", manifest["metadata"]["name"]
    try:
        return await ask(connection, "POST", path, what=f"create {manifest['kind']} {name}", body=manifest)
    except Exists:
        found = await ask(connection, "GET", f"{path}/{name}", what=f"look at {manifest['kind']} {name}")
        if not is_ours(found, name):
            raise ClusterRefused(
                f"the {manifest['kind']} {name} in namespace {connection.namespace} was not made by trialflow, and is left as it is",
                hint=f"rename it, or take `trialflow_uid` with {name} out of the experiment's metadata",
            ) from None
        return await ask(connection, "PUT", f"{path}/{name}", what=f"update {manifest['kind']} {name}", body=manifest)
