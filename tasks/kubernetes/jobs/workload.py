"""What trialflow has on a cluster: Jobs and their pods, joined into attempts of training runs."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.labels import ATTEMPT, EXPERIMENT, TRAINING_RUN, TRAINING_RUN_NAME, WORK, selector
from tasks.kubernetes.client.requests import has_condition, listed
from tasks.kubernetes.jobs import ending
from tasks.kubernetes.jobs.pending import pending_reason
from tasks.kubernetes.jobs.watching import JOB_NAME

Json = Mapping[str, Any]
Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Ending"]
UNDER_WAY: tuple[Phase, ...] = ("Pending", "Running", "Ending")


@dataclass(frozen=True)
class AttemptStatus:
    """One attempt of a training run as the cluster has it. `since` is when its phase began, epoch seconds; `reason` why it is in it, if there is one.

    `work` and what follows are labels, None on what was not made by trialflow's own flows. `has_job` is False if only a pod is left.
    """

    job: str
    phase: Phase
    work: str | None = None
    experiment: str | None = None
    training_run: str | None = None
    training_run_name: str | None = None
    number: int = 1
    pod: str | None = None
    node: str | None = None
    since: float | None = None
    reason: str | None = None
    has_job: bool = True

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self.phase in UNDER_WAY


def attempts_of(jobs: Iterable[Json], pods: Iterable[Json], events: Iterable[Json] = (), *, silent: Collection[str] = ()) -> list[AttemptStatus]:
    """Join the JSON of Jobs, pods and events into attempts, oldest first. `silent` are the nodes that Kubernetes does not hear from."""
    newest: dict[str, Json] = {}
    for pod in sorted(pods, key=_created):
        newest[_labels(pod).get(JOB_NAME) or pod["metadata"]["name"]] = pod
    told: dict[str | None, list[Json]] = defaultdict(list)
    for event in events:
        told[(event.get("involvedObject") or {}).get("uid")].append(event)
    found = []
    for job in jobs:
        pod = newest.pop(job["metadata"]["name"], None)
        found.append((_created(job), _attempt(job, pod, told, silent)))
    found += [(_created(pod), _attempt(None, pod, told, silent)) for pod in newest.values()]
    return [attempt for _, attempt in sorted(found, key=lambda one: (one[0], (one[1].training_run or "").zfill(18), one[1].job))]


def _attempt(job: Json | None, pod: Json | None, told: Mapping[str | None, list[Json]], silent: Collection[str]) -> AttemptStatus:
    thing = job if job is not None else pod
    assert thing is not None
    labels = _labels(thing)
    phase, since, reason = _of_pod(pod, told, silent) if pod is not None else _without_pod(thing, told)
    number = labels.get(ATTEMPT, "")
    return AttemptStatus(
        job=labels.get(JOB_NAME) or thing["metadata"]["name"],
        phase=phase,
        work=labels.get(WORK),
        experiment=labels.get(EXPERIMENT),
        training_run=labels.get(TRAINING_RUN),
        training_run_name=labels.get(TRAINING_RUN_NAME),
        number=int(number) if number.isdigit() else 1,
        pod=pod["metadata"]["name"] if pod is not None else None,
        node=(ending.node_of(pod) or None) if pod is not None else None,
        since=since,
        reason=reason,
        has_job=job is not None,
    )


def _of_pod(pod: Json, told: Mapping[str | None, list[Json]], silent: Collection[str]) -> tuple[Phase, float | None, str | None]:
    state = ending.container_status(pod).get("state") or {}
    ended = ending.exit_of(pod, has_launcher=False)
    unheard = f"its node {ending.node_of(pod)} does not answer" if ending.node_of(pod) in silent else None
    if ended is not None:
        when = (state.get("terminated") or {}).get("finishedAt") or pod["metadata"]["creationTimestamp"]
        reason = _in_words(ended)
        return ("Failed" if reason else "Succeeded"), _seconds(when), reason
    if ending.is_being_deleted(pod):
        return "Ending", _seconds(pod["metadata"]["deletionTimestamp"]), unheard or ending.disruption(pod)
    if running := state.get("running"):
        return "Running", _seconds(running.get("startedAt")), unheard
    reason = pending_reason(pod, told.get(pod["metadata"].get("uid"), []))
    phase: Phase = "Running" if (pod.get("status") or {}).get("phase") == "Running" else "Pending"
    return phase, _seconds(pod["metadata"]["creationTimestamp"]), unheard or reason


def _without_pod(job: Json, told: Mapping[str | None, list[Json]]) -> tuple[Phase, float | None, str | None]:
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            since = _seconds(condition.get("lastTransitionTime"))
            return ("Succeeded", since, None) if condition["type"] == "Complete" else ("Failed", since, "its pod was deleted")
    since = _seconds(job["metadata"]["creationTimestamp"])
    if job["metadata"].get("deletionTimestamp"):
        return "Ending", since, None
    return "Pending", since, pending_reason(None, told.get(job["metadata"].get("uid"), []))


def _in_words(ended: Any) -> str | None:
    """Why an attempt ended badly; None if it ended well."""
    if ended.lost or ended.problem:
        return ended.lost or ended.problem
    if ended.timed_out:
        return "out of time"
    if ended.out_of_memory:
        return "out of memory"
    if ended.signal:
        return f"killed by signal {ended.signal}"
    return f"exit code {ended.code}" if ended.code else None


def is_pending(job: Json, pods: Collection[str]) -> bool:
    """Whether a Job that is not over has none of `pods`, the names of Jobs that have one."""
    return not has_condition(job, "Complete", "Failed") and job["metadata"]["name"] not in pods


async def read_workload(connection: Connection, labels: Mapping[str, str] | None = None, *, silent: Collection[str] = ()) -> list[AttemptStatus]:
    """All attempts on the cluster that have `labels`. Events are read only where something is pending, and done without where that is not allowed.

    Raises `ClusterError`.
    """
    jobs, pods = await asyncio.gather(
        listed(connection, f"/apis/batch/v1/namespaces/{connection.namespace}/jobs", what="list Jobs", labels=selector(labels)),
        listed(connection, f"/api/v1/namespaces/{connection.namespace}/pods", what="list pods", labels=selector(labels)),
    )
    have = {_labels(pod).get(JOB_NAME) or "" for pod in pods}
    kinds = []
    if any((pod.get("status") or {}).get("phase", "Pending") == "Pending" for pod in pods):
        kinds.append("Pod")
    if any(is_pending(job, have) for job in jobs):
        kinds.append("Job")
    events = await asyncio.gather(*(read_events(connection, f"involvedObject.kind={kind}") for kind in kinds))
    return attempts_of(jobs, pods, [event for some in events for event in some], silent=silent)


async def read_events(connection: Connection, fields: str) -> list[dict[str, Any]]:
    """The events that `fields` selects; none if this user may not list events."""
    try:
        return await listed(connection, f"/api/v1/namespaces/{connection.namespace}/events", what="list events", fields=fields)
    except ClusterRefused as refused:
        if refused.status != 403:
            raise
        return []


def _labels(thing: Json) -> Mapping[str, str]:
    return thing["metadata"].get("labels") or {}


def _created(thing: Json) -> str:
    return str(thing["metadata"].get("creationTimestamp") or "")


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None
