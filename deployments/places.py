"""Where deployments execute: a work pool, with what its workers have to be told. Pure.

A pool of type `process` needs nothing: a worker of it has trialflow, and executes flows on its own machine. A pool of type `kubernetes` executes each
flow run as a Job, so it is told the image and how its pod has to be; training runs are further Jobs beside it.
"""

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from deployments.declared import POOL
from flows.crashes import HEARTBEAT_SECONDS
from tasks.images.own_dockerfile import USER
from tasks.images.references import parse
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.cluster.access import FLOWS
from tasks.kubernetes.cluster.saved import block_name
from trialflow.errors import InvalidInput
from trialflow.home import INSIDE

PROCESS, KUBERNETES = "process", "kubernetes"
TMP = "/tmp"
STARTS_AGAIN = 6
"""How many pods of a flow run may be lost before its Job fails: Kubernetes' own default. Each pod goes on with the same flow run."""
KEPT_SECONDS = 3600
"""How long a Job that has ended is kept."""
TAKEN = ("image", "namespace", "service_account_name", "env", "backoff_limit")
"""The variables that a job template has to have; that of Prefect has them."""
REQUESTS = {"cpu_request": "250m", "memory_request": "512Mi"}
"""What a pod asks for if its pool says nothing of it: without, it would be the first to starve and to be evicted."""
ADDED: Mapping[str, Mapping[str, str]] = {
    "pod_security_context": {"type": "object", "title": "Pod Security Context", "description": "The `securityContext` of the pod."},
    "container_security_context": {"type": "object", "title": "Container Security Context", "description": "That of the container."},
    "volumes": {"type": "array", "title": "Volumes", "description": "The `volumes` of the pod."},
    "volume_mounts": {"type": "array", "title": "Volume Mounts", "description": "The `volumeMounts` of the container."},
    "env_from": {"type": "array", "title": "Environment From", "description": "The `envFrom` of the container: Secrets, ConfigMaps."},
}
"""The variables that a job template gets. Without values, as other deployments have it, a Job is as before."""
SECRET = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
JSON = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A work pool, and what the deployments in it have: `job_variables`, and `defaults` for those parameters that a flow has.

    `has_folders` says that its flows may find the model's folder on the machine that they run on.
    """

    pool: str = POOL
    has_folders: bool = True
    job_variables: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self, names: Collection[str]) -> JSON:
        """The defaults of a flow that has parameters of these `names`. One that stops or tests a cluster has to be told which."""
        return {name: value for name, value in self.defaults.items() if name in names and (name != "cluster" or "run" in names)}


PROCESSES = Place()


@dataclass(frozen=True)
class Jobs:
    """What Jobs are made of: the `image` of trialflow, and the block of the `cluster` in whose namespace they run.

    The service is that of the block `service`, or that of SIGOPT_API_URL and SIGOPT_API_TOKEN in the Secret `service_secret`.
    """

    image: str
    cluster: str
    service: str = "default"
    service_secret: str | None = None

    def __post_init__(self) -> None:
        parse(self.image)
        if self.service_secret is not None and not SECRET.fullmatch(self.service_secret):
            raise InvalidInput(f"{self.service_secret!r} cannot be the name of a Secret")


def check_type(pool: str, kind: str, jobs: Jobs | None) -> None:
    """Raise `InvalidInput` if a work pool of this type does not go with what was given."""
    if kind == KUBERNETES and jobs is None:
        hint = "name one of trialflow with `--image`; `make image` builds it"
        raise InvalidInput(f"work pool {pool} is of type kubernetes: its Jobs need an image", hint=hint)
    if kind == PROCESS and jobs is not None:
        raise InvalidInput(f"work pool {pool} is of type process: its flows run in no image", hint="leave out `--image`, or name another pool")
    if kind not in (PROCESS, KUBERNETES):
        raise InvalidInput(f"work pool {pool} is of type {kind}, which trialflow is not made for", hint="use one of type process or kubernetes")


def place_as_jobs(pool: str, cluster: Cluster, jobs: Jobs, template: Mapping[str, Any]) -> Place:
    """A pool whose workers execute flows as Jobs in the cluster's namespace, and the training runs of experiments beside them.

    `template` is the pool's: what it has defaults for of `REQUESTS` is left to it.
    """
    known = template["variables"]["properties"]
    variables: JSON = {
        "image": jobs.image,
        "namespace": cluster.namespace,
        "service_account_name": FLOWS,
        "backoff_limit": STARTS_AGAIN,
        "finished_job_ttl": KEPT_SECONDS,
        **{name: value for name, value in REQUESTS.items() if name in known and known[name].get("default") is None},
        "env": {
            "TRIALFLOW_HOME": f"{TMP}/trialflow",
            "PREFECT_HOME": f"{TMP}/prefect",
            INSIDE: block_name(cluster.name),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        },
        # What the Pod Security level `restricted` asks for, which namespaces have that trialflow makes.
        "pod_security_context": {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "container_security_context": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "volume_mounts": [{"name": "tmp", "mountPath": TMP}],
    }
    defaults: JSON = {"cluster": {"name": block_name(cluster.name)}}
    if jobs.service_secret:
        variables["env_from"] = [{"secretRef": {"name": jobs.service_secret}}]
    else:
        defaults["service"] = jobs.service
    return Place(pool, False, variables, defaults)


def with_variables(template: Mapping[str, Any], pool: str) -> JSON:
    """The job template of a pool with the variables of `ADDED`. What it says already stays. Raises `InvalidInput` if it cannot be used."""
    made = deepcopy(dict(template))
    known = made.setdefault("variables", {}).setdefault("properties", {})
    if missing := [name for name in TAKEN if name not in known]:
        hint = f"add them to its job template; `prefect work-pool get-default-base-job-template --type {KUBERNETES}` has them"
        raise InvalidInput(f"the job template of work pool {pool} has no variable {', '.join(missing)}", hint=hint)
    try:
        pod = made["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        container = pod["containers"][0]
    except (KeyError, IndexError, TypeError):
        raise InvalidInput(f"the job template of work pool {pool} has no manifest of a Job with a container", hint="make the pool anew") from None
    for holder, name, variable in (
        (pod, "securityContext", "pod_security_context"),
        (container, "securityContext", "container_security_context"),
        (pod, "volumes", "volumes"),
        (container, "volumeMounts", "volume_mounts"),
        (container, "envFrom", "env_from"),
    ):
        if name not in holder:
            holder[name] = f"{{{{ {variable} }}}}"
            known.setdefault(variable, dict(ADDED[variable]))
    return made
