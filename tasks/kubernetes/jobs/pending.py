"""Why a training run's pod does not run yet: one reason in a few words, from what Kubernetes says of it. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]

LONGEST = 160
"""Characters of a message of Kubernetes that nobody has taught us to shorten."""
DIGEST, SHORT_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]+"), r"\1"
PULLING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
PULL_PROBLEMS = (
    (r"invalid reference format.*|couldn't parse image name.*|failed to parse image reference.*", "its name is not valid"),
    (
        r"unauthorized|authorization failed|pull access denied|403 Forbidden|no basic auth credentials|denied:",
        "the registry refuses access",
    ),
    (r"x509|certificate", "the node does not trust the registry's certificate"),
    (r"server gave HTTP response to HTTPS client", "the registry speaks plain HTTP and the node expects HTTPS"),
    (r"no such host", "the node cannot find the registry's host name"),
    (r"connection refused|i/o timeout|deadline exceeded|no route to host|network is unreachable", "the node cannot reach the registry"),
    (r"toomanyrequests|429 Too Many Requests", "the registry allows no more pulls for now"),
    (r"no match for platform|no matching manifest", "it is not made for the node's processor"),
    (r"no space left on device", "the node's disk is full"),
    (r"not found|manifest unknown", "the registry does not have it"),
)
"""Words of containerd, CRI-O and Docker -> the cause; the first that matches counts."""
NODE_PROBLEMS = (
    (r"Insufficient (?P<what>\S+)", "not enough free {what}"),
    (r"Too many pods", "no place for another pod"),
    (r"node\(s\) had untolerated taint \{(?P<what>[^:}]+)[^}]*\}", "tainted {what}"),
    (r"node\(s\) had (?:untolerated taint\(s\)|taints? .*)", "tainted"),
    (r"node\(s\) were unschedulable", "cordoned"),
    (r"node\(s\) didn't match Pod's node affinity/selector", "excluded by node affinity"),
    (r"node\(s\) had volume node affinity conflict", "away from its volume"),
    (r"node\(s\) (?P<what>.+)", "{what}"),
)
"""Words of the scheduler's filters -> what is with those nodes."""
UNDER_WAY = ("Pulling", "Pulled", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
"""Events of a pod whose containers are being created; the newest tells how far that is."""


def pending_reason(pod: Json | None, events: Iterable[Json] = ()) -> str | None:
    """Why the pod has not started, or None if it has (or has ended).

    `pod` is the pod's JSON; None if the Job has none yet, and then `events` are the Job's. Otherwise they are the pod's own.
    """
    newest = sorted(events, key=moment, reverse=True)
    if pod is None:
        return _without_pod(newest)
    status = pod.get("status") or {}
    if status.get("phase", "Pending") != "Pending":
        return None
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return _unscheduled(condition, newest)
    if not (pod.get("spec") or {}).get("nodeName"):
        return "waiting for the scheduler"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and (reason := _waiting(container, waiting)):
            return reason
    return _being_created(pod, newest)


def moment(event: Json) -> str:
    """When an event happened last, as text that sorts."""
    # Times come with and without fractions: cut to seconds they compare as text.
    when = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(when or (event.get("metadata") or {}).get("creationTimestamp") or "")[:19]


def _without_pod(events: list[Json]) -> str:
    for event in events:
        message = event.get("message") or ""
        if event.get("reason") == "FailedCreate":
            return _refused_pod(message)
        if event.get("reason") == "Suspended":
            return "its Job is suspended, by a queue or by hand"
        if event.get("reason") in ("Resumed", "SuccessfulCreate"):
            break
    return "waiting for its pod to be made"


def _refused_pod(message: str) -> str:
    if match := re.search(r"exceeded quota: (\S+), requested: (.+), used: (.+), limited: (.+)", message):
        return f"quota {match[1]} does not allow it: asked {match[2]}, in use {match[3]}, allowed {match[4]}"
    if match := re.search(r"failed quota: (\S+): must specify (.+?)(?: for: .*)?$", message):
        return f"quota {match[1]} demands that run.yml gives {match[2]}"
    if match := re.search(r'serviceaccount "([^"]+)" not found', message):
        return f"service account {match[1]} is missing"
    return _short(re.sub(r'^Error creating: (?:pods "[^"]*" is forbidden: )?', "the pod was refused: ", message))


def _unscheduled(condition: Json, events: list[Json]) -> str:
    if condition.get("reason") == "SchedulingGated":
        return "held back by a scheduling gate"
    if condition.get("reason") != "Unschedulable":
        return "waiting for the scheduler"
    reason = _no_node(condition.get("message") or "")
    for event in events:
        if event.get("reason") == "TriggeredScaleUp":
            return f"{reason}; the autoscaler makes a node"
        if event.get("reason") == "NotTriggerScaleUp":
            return f"{reason}; the autoscaler makes none"
    return reason


def _no_node(message: str) -> str:
    """The scheduler's message, shortened to what is with the nodes; what it says of preemption is left out."""
    match = re.match(r"(\d+)/(\d+) nodes are available: (.*)", message, re.DOTALL)
    if match is None:
        return _short(f"no node fits: {message}" if message else "no node fits")
    said = re.split(r"\.? ?(?:no new claims to deallocate|preemption: )", match[3])[0].strip().rstrip(".")
    parts = re.split(r", (?=\d+ )", said)
    if claim := re.search(r'persistentvolumeclaim "([^"]+)" (not found|bound to non-existent|is being deleted)', said):
        return f"volume claim {claim[1]} {'does not exist' if claim[2] == 'not found' else claim[2]}"
    if "unbound immediate PersistentVolumeClaims" in said:
        return "waiting for a volume: its claim has none yet"
    if not all(re.match(r"\d+ ", part) for part in parts):
        return _short(f"no node fits: {said}")
    told = [_of_nodes(int(part.split(" ", 1)[0]), int(match[2]), part.split(" ", 1)[1]) for part in parts]
    return _short(f"no node fits: {', '.join(told)}")


def _of_nodes(count: int, total: int, problem: str) -> str:
    where = "" if total == 1 else f" ({'all' if count == total else count} of {total})"
    for pattern, words in NODE_PROBLEMS:
        if match := re.fullmatch(pattern, problem.strip()):
            return words.format(**match.groupdict()) + where
    return problem.strip() + where


def _waiting(container: Json, waiting: Json) -> str | None:
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    if reason in PULLING:
        image = container.get("image") or ""
        # A name such as `certificate:1` must not be taken for a cause.
        problem = _short(pull_problem(message.replace(image, "")))
        # The name may be long, and the cause behind it must not be cut off: whether it goes away by itself is told by it.
        return f"image {DIGEST.sub(SHORT_DIGEST, image)} cannot be pulled: {problem}"
    if reason == "CreateContainerConfigError":
        return _short(_missing(message) or message or "its configuration is not valid")
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return None
    return _short(f"its container cannot be started: {message or reason}")


def pull_problem(message: str) -> str:
    """Why an image cannot be pulled, from the message of the container runtime."""
    for pattern, words in PULL_PROBLEMS:
        if re.search(pattern, message, re.IGNORECASE):
            return words
    if not message or message.startswith("Back-off pulling image"):
        return "it is tried again"
    return message.rsplit(" desc = ", 1)[-1]


def _missing(message: str) -> str | None:
    """What a message says is missing of a Secret or ConfigMap."""
    if match := re.search(r'\b(secret|configmap) "([^"]+)" not found', message, re.IGNORECASE):
        return f"{_kind(match[1])} {match[2]} does not exist"
    if match := re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) (\S+)", message):
        return f"{match[2]} {match[3].split('/')[-1]} has no key {match[1]}"
    if match := re.search(r"references non-existent (secret|config) key: (\S+)", message):
        return f"a mounted {'Secret' if match[1] == 'secret' else 'ConfigMap'} has no key {match[2]}"
    if "runAsNonRoot" in message:
        return "its image runs as root, and the pod's rules forbid that"
    return None


def _kind(word: str) -> str:
    return "Secret" if word.lower() == "secret" else "ConfigMap"


def _being_created(pod: Json, events: list[Json]) -> str:
    for event in events:
        reason, message = event.get("reason"), event.get("message") or ""
        if reason not in UNDER_WAY:
            continue
        if reason == "Pulling":
            image = re.search(r'"([^"]+)"', message)
            return f"pulling image {image[1]}" if image else "pulling its image"
        if reason == "FailedMount":
            return _short(_missing(message) or f"waiting for a volume: {message}")
        if reason == "FailedAttachVolume":
            return _short(f"waiting for a volume: {message}")
        if reason == "FailedCreatePodSandBox":
            return _short(f"its node cannot set up the pod: {message.rsplit(' desc = ', 1)[-1]}")
        break
    if not (pod.get("status") or {}).get("containerStatuses"):
        return f"waiting for node {pod['spec']['nodeName']} to take it"
    return "its container is being created"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
