"""What trialflow's server on a cluster is made of: a Secret, a claim on a volume, and a StatefulSet of one pod. Pure.

The pod runs `trialflow up`, as a machine would: Prefect's server, the service and a worker, and what dies is started again. A StatefulSet never has
two pods at once, so the databases on the volume have one user, and the pod keeps its name, by which flow runs know their worker.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.images.own_dockerfile import DATA, USER
from tasks.kubernetes.client.labels import MANAGED_BY
from tasks.kubernetes.cluster.access import FLOWS
from trialflow.errors import InvalidInput

NAME = "trialflow-server"
POD = f"{NAME}-0"
OWN = {MANAGED_BY: NAME}
"""The label of all of it. It is not that of training runs: what cleans up after those passes the server over."""
OPTIONS = "trialflow.dev/server-options"
PREFECT_PORT, SERVICE_PORT = 4200, 4201
"""On the pod's loopback. Only the port-forward of the Kubernetes API leads there."""
TOKENS, DATABASE = "/run/secrets/trialflow", "/run/secrets/trialflow-database"
HOME = f"{DATA}/home"
URL = "url"
"""The key of the Secret that holds the address of the user's database."""
UP = f"{HOME}/servers/up/up.json"
"""What `trialflow up` writes once everything is at work, the worker too. One that a pod before has left says nothing."""
START = f"""\
set -e
umask 077
mkdir -p {HOME}
chmod -R go= {HOME}
install -m 600 {TOKENS}/token {TOKENS}/prefect-token {HOME}
rm -f {UP} {HOME}/database-url
[ ! -e {DATABASE}/{URL} ] || install -m 600 {DATABASE}/{URL} {HOME}/database-url
exec trialflow up --port {PREFECT_PORT} --service-port {SERVICE_PORT}
"""
"""A volume's group may be changed when it is mounted; the home is its user's alone, or trialflow refuses it."""
PROBE = f"""\
from urllib.request import urlopen
open("{UP}").close()
for address in ("{PREFECT_PORT}/api/health", "{SERVICE_PORT}/health"):
    urlopen("http://127.0.0.1:" + address, timeout=8)
"""
NONE = "none"
SIZE = re.compile(r"[1-9][0-9]*(Mi|Gi|Ti|M|G|T)")
CLAIM = re.compile(r"claim/([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)")
SECRET = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
ADDRESS = re.compile(r"(?:https://)?(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})/?")


@dataclass(frozen=True)
class ServerOptions:
    """How the server is set up. `storage` is the size of a claim of its own, `claim/NAME` for one that exists, or `none`; `api_address` is
    host:port of the API server for the pod, by default the one that Kubernetes tells it; `database` is the Secret with the address of a PostgreSQL
    database, or `none` for SQLite on the volume.
    """

    storage: str = "10Gi"
    api_address: str | None = None
    database: str = NONE

    def __post_init__(self) -> None:
        if self.storage != NONE and not SIZE.fullmatch(self.storage) and not CLAIM.fullmatch(self.storage):
            hint = "expected a size such as 10Gi, claim/NAME for a claim that exists, or none"
            raise InvalidInput(f"{self.storage!r} is no storage for the server", hint=hint)
        if self.api_address is not None and not ADDRESS.fullmatch(self.api_address):
            raise InvalidInput(f"{self.api_address!r} is no address of an API server", hint="expected host:port, such as 10.0.0.1:6443")
        if not SECRET.fullmatch(self.database):
            hint = f"expected the name of a Secret whose key `{URL}` holds the address of a PostgreSQL database, or none"
            raise InvalidInput("that is not the name of a Secret", hint=hint)  # an address with its password, perhaps: it is not repeated

    @property
    def claim(self) -> str | None:
        """The name of the claim on a volume; None if nothing outlives the pod."""
        if self.storage == NONE:
            return None
        given = CLAIM.fullmatch(self.storage)
        return given[1] if given else NAME

    @property
    def database_secret(self) -> str | None:
        """The name of the Secret with the database's address; None if the databases are in the home."""
        return None if self.database == NONE else self.database

    @property
    def keeps_experiments(self) -> bool:
        """Whether what the server knows outlives its pod."""
        return self.claim is not None or self.database_secret is not None

    @property
    def makes_claim(self) -> bool:
        """Whether the claim is the server's own."""
        return SIZE.fullmatch(self.storage) is not None

    def to_json(self) -> str:
        """As they are kept on the cluster."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, stateful_set: Mapping[str, Any] | None) -> "ServerOptions":
        """Those of the server that is there, else the defaults."""
        kept = ((stateful_set or {}).get("metadata") or {}).get("annotations") or {}
        known = json.loads(kept.get(OPTIONS) or "{}")
        return cls(**{name: known[name] for name in ("storage", "api_address", "database") if name in known})


def secret(tokens: Mapping[str, str]) -> dict[str, Any]:
    """The tokens that the server asks for. Who may read this Secret may use the server."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "labels": OWN}, "type": "Opaque", "stringData": dict(tokens)}


def claim(options: ServerOptions) -> dict[str, Any]:
    """The claim on a volume of the cluster's default storage class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": options.storage}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": NAME, "labels": OWN}, "spec": spec}


def stateful_set(image: str, options: ServerOptions) -> dict[str, Any]:
    """The server itself. It complies with the `restricted` Pod Security level, and has the rights of flows and no others."""
    data = {"persistentVolumeClaim": {"claimName": options.claim}} if options.claim else {"emptyDir": {}}
    container = {
        "name": "server",
        "image": image,
        "command": ["sh", "-c", START],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [{"name": "TRIALFLOW_HOME", "value": HOME}, *_api_server(options.api_address)],
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}},
        "readinessProbe": {"exec": {"command": ["python", "-I", "-c", PROBE]}, "initialDelaySeconds": 5, "periodSeconds": 5, "timeoutSeconds": 20},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            {"name": "tokens", "mountPath": TOKENS, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
            *([{"name": "database", "mountPath": DATABASE, "readOnly": True}] if options.database_secret else []),
        ],
    }
    pod = {
        "serviceAccountName": FLOWS,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "data", **data},
            {"name": "tokens", "secret": {"secretName": NAME, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {}},
            *([_database(options.database_secret)] if options.database_secret else []),
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME, "labels": OWN, "annotations": {OPTIONS: options.to_json()}},
        "spec": {
            "replicas": 1,
            "serviceName": NAME,
            # A pod that never becomes ready is replaced by a better one; with the other policy it would have to be ready first.
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": OWN},
            "template": {"metadata": {"labels": OWN}, "spec": pod},
        },
    }


def _database(name: str) -> dict[str, Any]:
    items = [{"key": URL, "path": URL}]
    return {"name": "database", "secret": {"secretName": name, "items": items, "defaultMode": 0o440}}


def _api_server(address: str | None) -> list[dict[str, str]]:
    if address is None:
        return []
    found = ADDRESS.fullmatch(address)
    assert found is not None
    return [
        {"name": "KUBERNETES_SERVICE_HOST", "value": found["host"].strip("[]")},
        {"name": "KUBERNETES_SERVICE_PORT", "value": found["port"]},
    ]
