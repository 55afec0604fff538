"""Put trialflow's server on a cluster, find out how it is, take it away. What somebody else made is never touched."""

import asyncio
import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import MANAGED_BY
from tasks.kubernetes.client.requests import ask, delete_exactly, has_condition, listed
from tasks.kubernetes.cluster.installation import PATHS, Installed, PlannedObject, difference
from tasks.kubernetes.server.manifests import NAME, OPTIONS, POD, URL, ServerOptions, claim, secret, stateful_set
from trialflow.errors import InvalidInput
from trialflow.postgres import for_prefect
from trialflow.results.text import clean

KINDS = {
    **PATHS,
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
}
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
GONE_SECONDS = 120.0
LINES, WIDEST = 8, 200
"""How much is shown of the log of a pod that ended with an error: so many lines, and characters of each."""
Json = dict[str, Any]
State = Literal["ready", "starting", "none"]


@dataclass(frozen=True)
class ServerFacts:
    """The server that is on a cluster: the tokens that it asks for, its image and options, and how its pod is."""

    token: str = field(repr=False)
    prefect_token: str = field(repr=False)
    image: str | None
    options: ServerOptions
    state: State
    why: str | None = None


@dataclass(frozen=True)
class PodFacts:
    """How the server's pod is, why it is not ready, and how often its container has been started again."""

    state: State
    why: str | None = None
    restarts: int = 0


async def read_server(connection: Connection) -> ServerFacts | None:
    """The server of the cluster's namespace; None if there is none. Raises `ClusterRefused` if its Secret may not be read."""
    kept = await find_own(connection, "Secret")
    if kept is None:
        return None
    tokens = {name: base64.b64decode(value).decode() for name, value in (kept.get("data") or {}).items()}
    placed = await find_own(connection, "StatefulSet")
    pod = await read_pod(connection)
    image = placed["spec"]["template"]["spec"]["containers"][0]["image"] if placed else None
    return ServerFacts(tokens.get("token", ""), tokens.get("prefect-token", ""), image, ServerOptions.of(placed), pod.state, pod.why)


async def read_pod(connection: Connection) -> PodFacts:
    """How the server's pod is. One that is about to be replaced by a newer one is not ready."""
    placed = await find_own(connection, "StatefulSet")
    if placed is None:
        return PodFacts("none", "its StatefulSet is missing")
    if is_changing(placed):
        return PodFacts("starting", "its pod is replaced by a newer one")
    try:
        pod = await ask(connection, "GET", f"{_path(connection, 'Pod')}/{POD}", what=f"read Pod {POD}")
    except Missing:
        return PodFacts("starting", "its pod is not there yet")
    if has_condition(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]:
        return PodFacts("ready")
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    return PodFacts("starting", reason_of(pod), sum(one.get("restartCount", 0) for one in containers))


def is_changing(placed: Mapping[str, Any]) -> bool:
    """Whether the StatefulSet was changed and its pod is still as it was. Pure."""
    status = placed.get("status") or {}
    is_seen = status.get("observedGeneration", 0) >= placed["metadata"].get("generation", 0)
    return not is_seen or bool(status.get("updateRevision")) and status.get("currentRevision") != status.get("updateRevision")


def reason_of(pod: Mapping[str, Any]) -> str:
    """Why a pod is not ready, in Kubernetes' words and the last ones of its log. Pure."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        if ended := (container.get("lastState") or {}).get("terminated"):
            return f"it ended with exit code {ended.get('exitCode')} and is started again{_last_words(ended)}"
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return str(condition.get("message") or condition.get("reason") or "it has no node")
    return "it is starting"


def _last_words(ended: Mapping[str, Any]) -> str:
    lines = [line for line in clean(ended.get("message") or "").splitlines() if line.strip()]
    return "; its log ends with:" + "".join(f"\n  {line[:WIDEST]}" for line in lines[-LINES:]) if lines else ""


async def find_own(connection: Connection, kind: str, name: str = NAME) -> Json | None:
    """An object of the server; None if there is none. Raises `ClusterRefused` if it is somebody else's."""
    try:
        found = await ask(connection, "GET", f"{_path(connection, kind)}/{name}", what=f"read {kind} {name}")
    except Missing:
        return None
    if (found["metadata"].get("labels") or {}).get(MANAGED_BY) != NAME:
        raise ClusterRefused(
            f"{kind} {name} in namespace {connection.namespace} was not made by trialflow, so it is left as it is",
            hint="rename or delete it, or connect the cluster with another `--namespace`",
        )
    return found


async def check_storage(connection: Connection, options: ServerOptions) -> None:
    """Raise `InvalidInput` if there is no volume to be had as the options say."""
    if options.claim and not options.makes_claim:
        try:
            await ask(connection, "GET", f"{_path(connection, 'PersistentVolumeClaim')}/{options.claim}", what="look for the claim")
        except Missing:
            hint = "`trialflow cluster kubectl -- get pvc` lists those there are"
            raise InvalidInput(f"there is no PersistentVolumeClaim {options.claim} in namespace {connection.namespace}", hint=hint) from None
    if not options.makes_claim or await find_own(connection, "PersistentVolumeClaim"):
        return
    try:
        classes = await listed(connection, CLASSES, what="list storage classes")
    except ClusterRefused:
        return  # may not be looked at: the claim will tell
    if not any((one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for one in classes):
        raise InvalidInput(
            "the cluster has no default storage class, so there is no volume for the server's databases",
            hint="`--server-storage claim/NAME` uses a claim that you have made; with `--server-storage none` everything that the server knows, "
            "experiments included, is gone when its pod is replaced",
        )


async def check_database(connection: Connection, options: ServerOptions) -> None:
    """Raise `InvalidInput` if the Secret with the database's address is not there, or does not hold one. The address is not shown."""
    if (name := options.database_secret) is None:
        return
    made = f"`kubectl create secret generic {name} -n {connection.namespace} --from-file={URL}=FILE` makes it from a file with the address"
    try:
        found = await ask(connection, "GET", f"{_path(connection, 'Secret')}/{name}", what=f"read Secret {name}")
    except Missing:
        raise InvalidInput(f"there is no Secret {name} in namespace {connection.namespace}", hint=made) from None
    if URL not in (found.get("data") or {}):
        raise InvalidInput(f"the Secret {name} has no key `{URL}`", hint=made)
    try:
        for_prefect(base64.b64decode(found["data"][URL]).decode())
    except UnicodeDecodeError:
        raise InvalidInput(f"the key `{URL}` of the Secret {name} is no text", hint=made) from None
    except InvalidInput as error:
        raise InvalidInput(f"the Secret {name} cannot be used: {error.message}", hint=error.hint) from None


async def plan_objects(connection: Connection, image: str | None, options: ServerOptions) -> list[PlannedObject]:
    """What `place` would do; `image` is None if it has yet to be built. Raises `ClusterRefused` for what is somebody else's."""
    planned = []
    for manifest in manifests(image or "", options):
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        found = await find_own(connection, kind, name)
        changes = found is not None and kind == "StatefulSet" and bool(image is None or _difference(found, manifest))
        planned.append(PlannedObject(kind, name, "make" if found is None else "change" if changes else "keep"))
    return planned


def manifests(image: str, options: ServerOptions) -> list[Json]:
    """Everything that the server is made of, in order. The tokens are new: those of a server that is there are kept."""
    tokens = {name: secrets.token_urlsafe(32) for name in ("token", "prefect-token")}
    return [secret(tokens), *([claim(options)] if options.makes_claim else []), stateful_set(image, options)]


async def check_objects(connection: Connection, image: str, options: ServerOptions) -> None:
    """Have the API server validate what would be made, without keeping it. Raises `ClusterError`."""
    for manifest in manifests(image, options):
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if await find_own(connection, kind, name) is None:
            await ask(connection, "POST", _path(connection, kind), what=f"create {kind} {name}", query={"dryRun": "All"}, body=manifest)


async def place(connection: Connection, image: str, options: ServerOptions) -> list[Installed]:
    """Make what is missing, change what differs. Raises `ClusterError`."""
    return [await _place(connection, manifest) for manifest in manifests(image, options)]


async def _place(connection: Connection, manifest: Json) -> Installed:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    found = await find_own(connection, kind, name)
    if found is None:
        try:
            await ask(connection, "POST", _path(connection, kind), what=f"create {kind} {name}", body=manifest)
        except Exists:
            return Installed(kind, name, "was there", True)  # another was quicker, with the same
        return Installed(kind, name, "made", True)
    if kind != "StatefulSet" or not (patch := _difference(found, manifest)):
        return Installed(kind, name, "was there", True)
    await ask(connection, "PATCH", f"{_path(connection, kind)}/{name}", what=f"change {kind} {name}", body=patch)
    return Installed(kind, name, "put right", True)


def _difference(found: Mapping[str, Any], manifest: Mapping[str, Any]) -> Json:
    """What makes the StatefulSet as the manifest says; empty if it is."""
    patch = difference(found, manifest)
    wanted = manifest["metadata"]["annotations"]
    if (found["metadata"].get("annotations") or {}).get(OPTIONS) != wanted[OPTIONS]:
        patch["metadata"] = {"annotations": wanted}
    return patch


async def remove(connection: Connection, kind: str) -> bool:
    """Delete an object of the server, and wait until it is gone. False if there is none."""
    if (found := await find_own(connection, kind)) is None:
        return False
    path = f"{_path(connection, kind)}/{NAME}"
    await delete_exactly(connection, path, found["metadata"]["uid"], what=f"delete {kind} {NAME}", propagation="Foreground")
    deadline = asyncio.get_running_loop().time() + GONE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await find_own(connection, kind) is None:
            return True
        await asyncio.sleep(0.5)  # it takes two requests at most, and a watch takes three
    hint = f"`trialflow cluster kubectl -- describe {kind.lower()} {NAME}` says why"
    raise ClusterRefused(f"{kind} {NAME} was deleted and is still there", hint=hint)


def _path(connection: Connection, kind: str) -> str:
    return KINDS[kind].format(namespace=connection.namespace)
