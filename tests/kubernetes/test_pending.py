"""Why a pod is pending: messages as Kubernetes 1.34 and others write them, and the words that are made of them."""

from typing import Any

import pytest

from tasks.kubernetes.client.labels import CONTAINER
from tasks.kubernetes.jobs.pending import LONGEST, pending_reason
from tasks.kubernetes.jobs.starting import hopeless

NO_PREEMPTION = "no new claims to deallocate, preemption: 0/{0} nodes are available: {0} Preemption is not helpful for scheduling."


def event(reason: str, message: str, at: str = "2026-11-24T20:38:10Z") -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


def unscheduled(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"spec": {}, "status": {"phase": "Pending", "conditions": [condition]}}


def waiting(reason: str, message: str = "", *, image: str = "registry/x:1", kind: str = "containerStatuses") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"spec": {"nodeName": "node1"}, "status": {"phase": "Pending", kind: [{"name": "model", "image": image, "state": state}]}}


UNSCHEDULED = [
    (f"0/2 nodes are available: 2 Insufficient nvidia.com/gpu. {NO_PREEMPTION.format(2)}", "no node fits: not enough free nvidia.com/gpu (all of 2)"),
    (
        f"0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory. {NO_PREEMPTION.format(3)}",
        "no node fits: not enough free cpu (1 of 3), not enough free memory (2 of 3)",
    ),
    (
        "0/2 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}, 1 node(s) were unschedulable. preemption: 0/2 nodes are",
        "no node fits: tainted nvidia.com/gpu (1 of 2), cordoned (1 of 2)",
    ),
    (
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }. preemption: 0/1 nodes are available",
        "no node fits: tainted node.kubernetes.io/not-ready",
    ),
    (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2",
        "no node fits: excluded by node affinity (all of 2)",
    ),
    ("0/2 nodes are available: 2 Too many pods. preemption: 0/2 nodes", "no node fits: no place for another pod (all of 2)"),
    ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "no node fits: away from its volume (all of 2)"),
    ('0/2 nodes are available: persistentvolumeclaim "data" not found. not found', "volume claim data does not exist"),
    ("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found", "waiting for a volume: its claim has none yet"),
    ("no nodes available to schedule pods", "no node fits: no nodes available to schedule pods"),
    ("", "no node fits"),
]


@pytest.mark.parametrize(("message", "reason"), UNSCHEDULED)
def test_what_is_with_the_nodes_is_kept_and_preemption_left_out(message: str, reason: str) -> None:
    assert pending_reason(unscheduled(message)) == reason


def test_what_the_autoscaler_does_about_it_is_said() -> None:
    pod = unscheduled("0/1 nodes are available: 1 Insufficient cpu.")
    made = event("TriggeredScaleUp", "pod triggered scale-up: [{cpu 0->1 (max: 4)}]")
    refused = event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", "2026-11-24T20:39:10Z")
    assert pending_reason(pod, [made]) == "no node fits: not enough free cpu; the autoscaler makes a node"
    assert pending_reason(pod, [refused, made]) == "no node fits: not enough free cpu; the autoscaler makes none"


def test_a_pod_that_a_queue_holds_back_says_so() -> None:
    assert pending_reason(unscheduled("Scheduling is blocked", "SchedulingGated")) == "held back by a scheduling gate"


FROM_REGISTRY = 'Back-off pulling image "registry/x:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull image "registry/x:1": '
PULLS = [
    (FROM_REGISTRY + 'failed to resolve reference "registry/x:1": registry/x:1: not found', "the registry does not have it"),
    ("manifest unknown: manifest unknown", "the registry does not have it"),
    ("failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized", "the registry refuses access"),
    ("pull access denied, repository does not exist or may require authorization: server message: insufficient_scope", "the registry refuses access"),
    (
        'failed to do request: Head "https://h/v2": tls: failed to verify: x509: unknown',
        "the node does not trust the registry's certificate",
    ),
    ("http: server gave HTTP response to HTTPS client", "the registry speaks plain HTTP and the node expects HTTPS"),
    ("dial tcp: lookup registry.invalid on 10.0.0.2:53: no such host", "the node cannot find the registry's host name"),
    ("dial tcp 10.0.0.9:5000: connect: connection refused", "the node cannot reach the registry"),
    ("failed to parse image reference: invalid reference format: repository name must be lowercase", "its name is not valid"),
    ("no match for platform in manifest: not found", "it is not made for the node's processor"),
    ("429 Too Many Requests - Server message: toomanyrequests", "the registry allows no more pulls for now"),
    ('Back-off pulling image "registry/x:1"', "it is tried again"),
    ("", "it is tried again"),
    ("rpc error: code = Unknown desc = something else", "something else"),
]


@pytest.mark.parametrize(("message", "problem"), PULLS)
def test_an_image_that_cannot_be_pulled_says_why(message: str, problem: str) -> None:
    assert pending_reason(waiting("ImagePullBackOff", message)) == f"image registry/x:1 cannot be pulled: {problem}"


def test_the_name_of_an_image_is_not_taken_for_a_cause() -> None:
    pod = waiting("ErrImagePull", "h/x509-certificate:1: not found", image="h/x509-certificate:1")
    assert pending_reason(pod) == "image h/x509-certificate:1 cannot be pulled: the registry does not have it"


CONFIGURATION = [
    ('secret "token" not found', "Secret token does not exist"),
    ('configmap "settings" not found', "ConfigMap settings does not exist"),
    ("couldn't find key nokey in ConfigMap team/settings", "ConfigMap settings has no key nokey"),
    ('container has runAsNonRoot and image will run as root (pod: "x", container: model)', "its image runs as root, and the pod's rules forbid that"),
    ("something new", "something new"),
]


@pytest.mark.parametrize(("message", "reason"), CONFIGURATION)
def test_what_a_container_lacks_is_named(message: str, reason: str) -> None:
    assert pending_reason(waiting("CreateContainerConfigError", message)) == reason


def test_an_init_container_counts_as_well() -> None:
    pod = waiting("CreateContainerConfigError", 'secret "token" not found', kind="initContainerStatuses")
    assert pending_reason(pod) == "Secret token does not exist"


CREATING = [
    ([], "its container is being created"),
    ([event("Pulling", 'Pulling image "registry/x:1"')], "pulling image registry/x:1"),
    ([event("Pulling", 'Pulling image "registry/x:1"'), event("Pulled", "", "2026-11-24T20:38:50Z")], "its container is being created"),
    ([event("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "missing" not found')], "ConfigMap missing does not exist"),
    ([event("FailedMount", "Unable to attach or mount volumes: timed out")], "waiting for a volume: Unable to attach or mount volumes: timed out"),
    ([event("FailedAttachVolume", "Multi-Attach error for volume")], "waiting for a volume: Multi-Attach error for volume"),
    ([event("FailedCreatePodSandBox", "rpc error: code = Unknown desc = no CNI")], "its node cannot set up the pod: no CNI"),
    ([event("MissingClusterDNS", "whatever")], "its container is being created"),
]


@pytest.mark.parametrize(("events", "reason"), CREATING)
def test_the_newest_event_tells_how_far_a_container_is(events: list[dict[str, Any]], reason: str) -> None:
    assert pending_reason(waiting("ContainerCreating"), events) == reason


FORBIDDEN = 'Error creating: pods "run-abcd1234-nh8bl" is forbidden: '
JOB_EVENTS = [
    ([], "waiting for its pod to be made"),
    (
        [event("FailedCreate", FORBIDDEN + "exceeded quota: few, requested: requests.cpu=1500m, used: requests.cpu=0, limited: requests.cpu=1")],
        "quota few does not allow it: asked requests.cpu=1500m, in use requests.cpu=0, allowed requests.cpu=1",
    ),
    (
        [event("FailedCreate", FORBIDDEN + "failed quota: few: must specify cpu for: model")],
        "quota few demands that run.yml gives cpu",
    ),
    (
        [event("FailedCreate", FORBIDDEN + 'error looking up service account ns/model: serviceaccount "model" not found')],
        "service account model is missing",
    ),
    ([event("FailedCreate", FORBIDDEN + 'violates PodSecurity "restricted"')], 'the pod was refused: violates PodSecurity "restricted"'),
    ([event("Suspended", "Job suspended")], "its Job is suspended, by a queue or by hand"),
    ([event("Suspended", "", "2026-11-24T20:38:10Z"), event("Resumed", "", "2026-11-24T20:38:11.5Z")], "waiting for its pod to be made"),
]


@pytest.mark.parametrize(("events", "reason"), JOB_EVENTS)
def test_without_a_pod_the_events_of_the_job_tell(events: list[dict[str, Any]], reason: str) -> None:
    assert pending_reason(None, events) == reason


def test_a_pod_that_runs_or_has_ended_is_not_pending() -> None:
    for phase in ("Running", "Succeeded", "Failed", "Unknown"):
        assert pending_reason({"spec": {}, "status": {"phase": phase}}) is None


def test_a_pod_that_nobody_has_looked_at_yet_says_who_is_next() -> None:
    assert pending_reason({"spec": {}, "status": {"phase": "Pending"}}) == "waiting for the scheduler"
    assert pending_reason({"spec": {"nodeName": "node1"}, "status": {"phase": "Pending"}}) == "waiting for node node1 to take it"


def test_a_long_message_is_cut() -> None:
    reason = pending_reason(waiting("CreateContainerError", "words " * 100))
    assert reason is not None and len(reason) == LONGEST and reason.endswith("...")


def test_a_long_name_of_an_image_does_not_hide_why_it_cannot_be_pulled() -> None:
    image = f"registry.example.com/team/{'project/' * 20}model@sha256:{'0123456789abcdef' * 4}"
    waiting = {"reason": "ErrImagePull", "message": f'failed to pull image "{image}": not found'}
    status = {"phase": "Pending", "containerStatuses": [{"name": CONTAINER, "image": image, "state": {"waiting": waiting}}]}
    pod = {"spec": {"nodeName": "n"}, "status": status}
    reason = pending_reason(pod) or ""
    assert reason.endswith("model@sha256:0123456789ab cannot be pulled: the registry does not have it")
    assert hopeless(pod) is not None
