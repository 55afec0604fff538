"""How an attempt ended, from its pod as Kubernetes tells it and its node: the facts for `judge`. Pure.

What Kubernetes says in words for people is looked at in one place (`INTERRUPTED`) to tell lost from failed: the condition DisruptionTarget, a pod
that is gone, a node that is gone, and the launcher's own word decide.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tasks.compute import Exit
from tasks.kubernetes.client.labels import ATTEMPT, CONTAINER, TRAINING_RUN_NAME
from trialflow.launcher.ending import FACTS as TOLD
from trialflow.launcher.marks import nonce_prefix, read_short

Json = Mapping[str, Any]
FACTS = tuple(name for name in TOLD if name != "stopped")
"""What counts of what a launcher tells. Whether an end was asked for is known better from elsewhere."""
MARKS = "trialflow.dev/marks"
"""The annotation with the version of the marks in a pod's log: from 2 on they carry a nonce."""
NOT_FOUND = (126, 127, 128)
INTERRUPTED = ("context canceled", "context deadline exceeded", "ttrpc: closed", "transport is closing", "connection refused")
"""What a container runtime says when it was itself ended in the middle of starting a container: nothing else tells that from a bad command."""
TIMED_OUT, KILLED, ASKED_TO_END, UNKNOWN = 124, 137, 143, 255
"""Exit codes: of `timeout` (which ends with `KILLED` if it had to kill), by SIGKILL, by SIGTERM, and one that nobody knows."""
TIME_LIMIT = "TRIALFLOW_TIMEOUT"
"""The variable with the seconds after which `timeout` ends a model, where no launcher can."""


def exit_of(pod: Json, *, is_gone: bool = False, is_node_gone: bool = False, has_launcher: bool = True) -> Exit | None:
    """How the attempt of `pod` ended; None if it has not.

    `is_gone`: the pod was deleted, and `pod` is how it was last. `is_node_gone`: its node does not answer Kubernetes any more, or does not exist.
    `has_launcher`: a launcher is in there, which writes down every end that it lives to see.
    """
    ended = _terminated(pod)
    if ended:
        return _of_container(pod, ended, is_gone, has_launcher)
    if is_gone:
        return Exit(lost=disruption(pod) or "its pod was deleted")
    if (pod.get("status") or {}).get("phase") == "Failed":
        if _is_out_of_time(pod):
            return Exit(timed_out=True)
        return Exit(lost=disruption(pod) or _said(pod) or "its node did not take it")
    if is_node_gone and is_being_deleted(pod):
        return Exit(lost=f"its node {node_of(pod)} is gone")
    return None


def _of_container(pod: Json, ended: Json, is_gone: bool, has_launcher: bool) -> Exit:
    code = int(ended.get("exitCode") or 0)
    times: dict[str, Any] = {"started": _seconds(ended.get("startedAt")), "ended": _seconds(ended.get("finishedAt"))}
    facts = told(pod)
    if facts is not None and not facts.get("stopped"):
        return Exit(**{**times, **{name: value for name, value in facts.items() if name in FACTS}})
    if (reason := disruption(pod)) is not None:
        return Exit(lost=reason, **times)
    if is_being_deleted(pod) and (facts is not None or code in (KILLED, ASKED_TO_END)):
        return Exit(lost="its pod was deleted", **times)
    if facts is not None:
        return Exit(lost="its launcher was asked to end", **times)
    if _is_out_of_time(pod):
        return Exit(timed_out=True, code=code, **times)
    if ended.get("reason") == "OOMKilled":
        return Exit(code=code, out_of_memory=True, **times)
    if code in (TIMED_OUT, KILLED) and _had_its_time(pod, times):
        return Exit(timed_out=True, code=code, **times)
    if (problem := start_problem(pod)) is not None:
        if any(words in problem.lower() for words in INTERRUPTED):
            return Exit(lost=f"its node {node_of(pod)} broke off while it started the container: {problem}", **times)
        return Exit(problem=problem, **times)
    if ended.get("reason") in ("ContainerStatusUnknown", "Unknown") or (code == UNKNOWN and not ended.get("containerID")):
        return Exit(lost=f"its node {node_of(pod)} lost sight of it", **times)
    if has_launcher and code in (KILLED, UNKNOWN):
        return Exit(lost="its launcher was killed", **times)
    return Exit(code=code, **times)


def told(pod: Json) -> dict[str, Any] | None:
    """The facts that the launcher left in the termination message."""
    message = _message(pod)
    return None if message is None else message[0]


def told_values(pod: Json) -> dict[str, float]:
    """The values that the launcher left in the termination message; empty if there are none or they had no room."""
    message = _message(pod)
    return {} if message is None else message[1]


def _message(pod: Json) -> tuple[dict[str, Any], dict[str, float]] | None:
    return read_short(str(_terminated(pod).get("message") or ""), mark_prefix(pod), is_old=has_old_marks(pod))


def mark_prefix(pod: Json) -> str:
    """How the nonce of the pod's launcher begins."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return nonce_prefix(labels.get(TRAINING_RUN_NAME), labels.get(ATTEMPT))


def has_old_marks(pod: Json) -> bool:
    """Whether the pod was made by a version of trialflow whose launchers wrote no nonce."""
    return MARKS not in ((pod.get("metadata") or {}).get("annotations") or {})


def start_problem(pod: Json) -> str | None:
    """What the container runtime said if it could not start the container's first program; None if it could."""
    ended = _terminated(pod)
    if ended.get("reason") in ("StartError", "ContainerCannotRun") and int(ended.get("exitCode") or 0) in NOT_FOUND:
        return str(ended.get("message") or "the container could not be started").strip()
    return None


def disruption(pod: Json) -> str | None:
    """Why Kubernetes itself ended the pod, from its condition DisruptionTarget; None if it did not."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            what = {
                "DeletionByTaintManager": f"its node {node_of(pod)} went away or was closed to it",
                "EvictionByEvictionAPI": f"it was evicted from node {node_of(pod)}",
                "PreemptionByScheduler": "a pod of higher priority took its place",
                "DeletionByPodGC": f"its node {node_of(pod)} is gone",
                "TerminationByKubelet": f"node {node_of(pod)} ended it",
            }.get(condition.get("reason") or "", "Kubernetes ended it")
            said = condition.get("message") if condition.get("reason") == "TerminationByKubelet" else None
            return f"{what}: {said}" if said else what
    return None


def is_being_deleted(pod: Json) -> bool:
    """Whether somebody has deleted the pod, which may still be there for a while."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def is_in_doubt(pod: Json) -> bool:
    """Whether the pod is on its way out: then its node has to be asked, for a node that is gone never says how the pod ended."""
    return is_being_deleted(pod) or disruption(pod) is not None


def has_ended(pod: Json) -> bool:
    """Whether Kubernetes knows that the model's container has ended."""
    return bool(_terminated(pod))


def container_status(pod: Json) -> Json:
    """The status of the model's container; empty if there is none yet."""
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == CONTAINER:
            return status
    return {}


def has_started(pod: Json) -> bool:
    """Whether the model's container runs or ran."""
    state = container_status(pod).get("state") or {}
    return bool(state.get("running") or state.get("terminated"))


def node_of(pod: Json) -> str:
    """The pod's node; empty if it has none yet."""
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _terminated(pod: Json) -> Json:
    """What Kubernetes says of the end of the model's container; empty if it knows of none."""
    return (container_status(pod).get("state") or {}).get("terminated") or {}


def _is_out_of_time(pod: Json) -> bool:
    return (pod.get("status") or {}).get("reason") == "DeadlineExceeded"


def _had_its_time(pod: Json, times: Mapping[str, Any]) -> bool:
    """Whether it ran for as long as it may, as far as times in whole seconds can tell."""
    variables = [
        one for container in (pod.get("spec") or {}).get("containers") or [] if container["name"] == CONTAINER for one in container.get("env") or []
    ]
    limit = next((float(one["value"]) for one in variables if one["name"] == TIME_LIMIT), None)
    return bool(limit and times["started"] and times["ended"] and times["ended"] - times["started"] >= limit - 1)


def _said(pod: Json) -> str:
    status = pod.get("status") or {}
    return str(status.get("message") or status.get("reason") or "")


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
