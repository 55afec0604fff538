"""The Job of one attempt of a training run, as Kubernetes takes it. Pure: the same facts give the same manifest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.compute import Attempt
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT, Cluster
from tasks.kubernetes.client.labels import (
    ATTEMPT,
    CONTAINER,
    EXPERIMENT,
    FLOW_RUN,
    MANAGED_BY,
    NODE_GROUPS,
    TRAINING_RUN,
    TRAINING_RUN_NAME,
    TRIALFLOW,
    WORK,
)
from tasks.kubernetes.jobs.ending import MARKS, TIME_LIMIT
from tasks.kubernetes.jobs.overlay import overlaid
from trialflow.launcher.model import facts, facts_variables, in_variable, light
from trialflow.specs import RunSpec
from trialflow.specs.resources import GPU, Resources

Json = dict[str, Any]
Mode = Literal["shell", "python", "bare"]
MODES: tuple[Mode, ...] = ("shell", "python", "bare")
"""How a container is started, in the order in which it is tried: by a shell that looks for a Python, by a Python, and without a launcher."""

LAUNCHER = "/trialflow/launcher"
WRITABLE = "/trialflow/work"
FACTS = "/trialflow/facts"
TOKEN = "token"
"""The key, in the Secret of an attempt, of the token with which its pod asks the service."""
CONTEXT = "trialflow.dev/context"
MODE = "trialflow.dev/mode"
NOBODY = 1000
"""The user of images that would run as root, which the `restricted` Pod Security level forbids."""
KEPT_SECONDS = 7 * 24 * 3600
"""How long a Job that ended waits on the cluster for a flow that takes its result, before Kubernetes deletes it."""
GRACE_SECONDS = 15
DEFAULT_REQUESTS = {"ephemeral-storage": "128Mi"}
NUMBERED = " ".join(f"python3.{minor}" for minor in range(20, 5, -1))
SCRIPT = f"""\
for python in python3 python /usr/local/bin/python3 /usr/bin/python3 /opt/conda/bin/python3 {NUMBERED}; do
  "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null && exec "$python" -I -S {LAUNCHER}/pod.py "$@"
done
if [ "$TRIALFLOW_UPSTREAM_URL" ]; then export SIGOPT_API_URL="$TRIALFLOW_UPSTREAM_URL" SIGOPT_API_TOKEN="$TRIALFLOW_UPSTREAM_TOKEN"; fi
if [ "${TIME_LIMIT}" ] && timeout 1 true 2>/dev/null; then set -- timeout -k 10 "${TIME_LIMIT}" "$@"; fi
exec "$@"
"""
"""Finds a Python for the launcher. An image that has none runs the model by itself: it is told of the service if pods reach one, and the time
limit is kept by `timeout`, where there is such a program."""


@dataclass(frozen=True)
class PodTemplate:
    """What all pods of one experiment, or of a training run by itself, have in common.

    `uid` names what they belong to. `requests`, `limits` and `gpus` are Kubernetes' resources. `secret` names the Secret with the experiment's keys,
    `secrets` the user's; `pod` are the user's own pod fields.
    """

    uid: str
    image: ImageFacts
    requests: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    gpus: int | None = None
    secret: str | None = None
    secrets: Sequence[str] = ()
    service_account: str | None = None
    api_url: str | None = None
    flow_run: str | None = None
    pod: Mapping[str, Any] = field(default_factory=dict)


def pod_template(run: RunSpec, image: ImageFacts, cluster: Cluster, *, uid: str, has_keys: bool = False, flow_run: str | None = None) -> PodTemplate:
    """The template of the pods of `uid`. `has_keys`: there are keys for the model, in a Secret that is called like it."""
    resources = run.resources or Resources()
    return PodTemplate(
        uid=uid,
        image=image,
        requests=resources.requests,
        limits=resources.limits,
        gpus=resources.gpus,
        secret=uid if has_keys else None,
        secrets=tuple(run.secrets),
        service_account=MODEL_ACCOUNT,
        api_url=cluster.api_url,
        flow_run=flow_run,
        pod=run.pod,
    )


def job_name(attempt: Attempt) -> str:
    """The Job of an attempt: the training run's name, and the number of every attempt but the first."""
    name = str(attempt.training_run["name"])
    return name if attempt.number == 1 else f"{name}-{attempt.number}"


def job(attempt: Attempt, template: PodTemplate, mode: Mode = "shell") -> Json:
    """The manifest of the Job for `attempt`."""
    labels = _labels(attempt, template)
    known = facts(light(attempt.training_run), attempt.number, attempt.experiment_id, attempt.project)
    pod = {
        "metadata": {"labels": labels, "annotations": {CONTEXT: json.dumps(known, ensure_ascii=False), MODE: mode, MARKS: "2"}},
        "spec": _pod(attempt, template, mode),
    }
    own = dict(template.pod)
    for kind, more in (own.pop("metadata", None) or {}).items():
        if kind in ("labels", "annotations"):
            pod["metadata"][kind] = {**more, **pod["metadata"][kind]}
    pod["spec"] = overlaid(pod["spec"], own)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(attempt), "labels": labels},
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1, "ttlSecondsAfterFinished": KEPT_SECONDS, "template": pod},
    }


def _labels(attempt: Attempt, template: PodTemplate) -> dict[str, str]:
    labels = {
        MANAGED_BY: TRIALFLOW,
        WORK: template.uid,
        TRAINING_RUN: attempt.training_run_id,
        TRAINING_RUN_NAME: str(attempt.training_run["name"]),
        ATTEMPT: str(attempt.number),
    }
    if attempt.experiment_id:
        labels[EXPERIMENT] = attempt.experiment_id
    if template.flow_run:
        labels[FLOW_RUN] = template.flow_run
    return labels


def _pod(attempt: Attempt, template: PodTemplate, mode: Mode) -> Json:
    security: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if (user := _user(template.image.user)) is not None:
        security["runAsUser"] = user
    spec: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": security,
        "affinity": _affinity(template),
        "containers": [_container(attempt, template, mode)],
        "volumes": [
            {"name": "trialflow-work", "emptyDir": {}},
            {
                "name": "trialflow-facts",
                "downwardAPI": {"items": [{"path": "context.json", "fieldRef": {"fieldPath": f"metadata.annotations['{CONTEXT}']"}}]},
            },
        ],
    }
    if mode != "bare":
        spec["volumes"].append({"name": "trialflow-launcher", "configMap": {"name": template.uid, "items": launcher_items()}})
    elif attempt.timeout:
        spec["activeDeadlineSeconds"] = max(1, round(attempt.timeout))
    if _asks_gpu(template):  # nodes with GPUs are often closed to all others
        spec["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    if template.service_account:
        spec["serviceAccountName"] = template.service_account
    return spec


def _container(attempt: Attempt, template: PodTemplate, mode: Mode) -> Json:
    container: Json = {
        "name": CONTAINER,
        "image": template.image.reference,
        "imagePullPolicy": "IfNotPresent" if "@" in template.image.reference else "Always",
        **_start(attempt, template, mode),
        "env": _environment(attempt, template, mode),
        "resources": _resources(template),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "trialflow-work", "mountPath": WRITABLE}, {"name": "trialflow-facts", "mountPath": FACTS, "readOnly": True}],
    }
    if mode != "bare":
        container["volumeMounts"].append({"name": "trialflow-launcher", "mountPath": LAUNCHER, "readOnly": True})
    names = [*([template.secret] if template.secret else []), *template.secrets]
    if names:
        container["envFrom"] = [{"secretRef": {"name": name}} for name in names]
    return container


def _start(attempt: Attempt, template: PodTemplate, mode: Mode) -> Json:
    """`command` and `args`: what the image would start, begun by the launcher.

    Where the image's entrypoint is not known it stays in front, as Kubernetes leaves it there, and has to execute what it is given.
    """
    given = list(attempt.command) or list(template.image.command)
    prefix = {"shell": ["sh", "-c", SCRIPT, "sh"], "python": ["python3", "-I", "-S", f"{LAUNCHER}/pod.py"], "bare": []}[mode]
    if not prefix:
        return {"args": [literal(word) for word in given]} if given else {}
    if template.image.entrypoint is None:
        return {"args": [literal(word) for word in prefix + given]}
    whole = [literal(word) for word in prefix + [*template.image.entrypoint, *given]]
    cut = 3 if mode == "shell" else 4
    return {"command": whole[:cut], "args": whole[cut:]}


def _environment(attempt: Attempt, template: PodTemplate, mode: Mode) -> list[Json]:
    run = light(attempt.training_run)
    known = facts_variables(run, attempt.number, attempt.experiment_id, attempt.project, f"{FACTS}/context.json")
    values = {**known, "PYTHONUNBUFFERED": "1"}
    if _user(template.image.user) is not None and "HOME" not in template.image.environment:
        values["HOME"] = WRITABLE
    if mode != "bare":
        values["TRIALFLOW_WORK"] = WRITABLE
        values["TRIALFLOW_LAUNCH"] = json.dumps(attempt.launch_plan(in_variable(run)))
        if template.api_url:
            values["TRIALFLOW_UPSTREAM_URL"] = template.api_url
        if mode == "shell" and attempt.timeout:
            values[TIME_LIMIT] = str(max(1, round(attempt.timeout)))
    elif template.api_url:
        values["SIGOPT_API_URL"] = template.api_url
    variables: list[Json] = [{"name": name, "value": literal(value)} for name, value in {**values, **attempt.environment}.items()]
    if template.api_url:
        name = "SIGOPT_API_TOKEN" if mode == "bare" else "TRIALFLOW_UPSTREAM_TOKEN"
        variables.append({"name": name, "valueFrom": {"secretKeyRef": {"name": job_name(attempt), "key": TOKEN}}})
    return variables


def literal(text: str) -> str:
    """`text` so that Kubernetes, which takes `$(NAME)` for a variable and `$$` for a `$`, leaves it as it is."""
    return text.replace("$", "$$")


def _resources(template: PodTemplate) -> Json:
    requests, limits = {**DEFAULT_REQUESTS, **template.requests}, dict(template.limits)
    if template.gpus:
        limits[GPU] = template.gpus
    return {"requests": {name: str(value) for name, value in requests.items()}, "limits": {name: str(value) for name, value in limits.items()}}


def _affinity(template: PodTemplate) -> Json:
    """Away from nodes for the cluster's own programs and, unless a GPU is asked for, from those with GPUs; together, so that other nodes can go."""
    unwanted = ["system"] if _asks_gpu(template) else ["system", "gpu"]
    away = [{"key": key, "operator": "NotIn", "values": unwanted} for key in NODE_GROUPS]

    def beside(labels: Mapping[str, str], weight: int) -> Json:
        return {"weight": weight, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": dict(labels)}}}

    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": away}]}},
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [beside({WORK: template.uid}, 100), beside({MANAGED_BY: TRIALFLOW}, 50)]},
    }


def _asks_gpu(template: PodTemplate) -> bool:
    return bool(template.gpus) or GPU in template.limits


def _user(user: str) -> int | None:
    """The user that has to be set: None where the image names one by a number that is not root's, which Kubernetes can check by itself."""
    first = user.split(":")[0]
    return None if first.isdigit() and int(first) else NOBODY


def launcher_items() -> list[Json]:
    """Which key of the launcher's ConfigMap becomes which file."""
    return [{"key": path.replace("/", "."), "path": path} for path in LAUNCHER_FILES]


LAUNCHER_FILES = (
    "pod.py",
    "attempt.py",
    "marks.py",
    "ending.py",
    "model.py",
    "patterns.py",
    "printed_numbers.py",
    "relay.py",
    "reports.py",
    "upstream.py",
    "shim/sitecustomize.py",
)
