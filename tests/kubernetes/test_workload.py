"""What of ours is on a cluster: Jobs and pods joined into attempts; and what of it may be deleted."""

import asyncio
import secrets
from typing import Any

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.labels import MANAGED_BY, TRAINING_RUN, TRAINING_RUN_NAME, TRIALFLOW, WORK
from tasks.kubernetes.jobs.orphans import ClusterObject, ServiceFacts, judge, object_of
from tasks.kubernetes.jobs.workload import attempts_of, read_workload

LABELS = {MANAGED_BY: TRIALFLOW, WORK: "experiment-a", TRAINING_RUN: "34", TRAINING_RUN_NAME: "run-a", "trialflow.dev/experiment": "12"}
AT, LATER = "2026-11-24T20:00:00Z", "2026-11-24T20:05:00Z"


def job(name: str = "run-a", *, condition: str | None = None, labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True", "lastTransitionTime": LATER}] if condition else []
    given = {"name": name, "uid": f"uid-{name}", "labels": labels or LABELS, "creationTimestamp": AT, **metadata}
    return {"metadata": given, "status": {"conditions": conditions}}


def pod(
    phase: str, state: dict[str, Any] | None = None, *, of: str = "run-a", name: str = "run-a-x", at: str = AT, **metadata: Any
) -> dict[str, Any]:
    labels = {**LABELS, "batch.kubernetes.io/job-name": of}
    statuses = [{"name": "model", "state": state}] if state else []
    given = {"name": name, "uid": f"uid-{name}", "labels": labels, "creationTimestamp": at, **metadata}
    return {"metadata": given, "spec": {"nodeName": "node1"}, "status": {"phase": phase, "containerStatuses": statuses}}


def terminated(code: int, **facts: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "finishedAt": LATER, "containerID": "c", **facts}}


RUNNING = {"running": {"startedAt": LATER}}
CASES = [
    (job(), None, "Pending", "waiting for its pod to be made"),
    (job(condition="Complete"), None, "Succeeded", None),
    (job(condition="Failed"), None, "Failed", "its pod was deleted"),
    (job(deletionTimestamp=AT), None, "Ending", None),
    (job(), pod("Pending", {"waiting": {"reason": "ContainerCreating"}}), "Pending", "its container is being created"),
    (job(), pod("Running", RUNNING), "Running", None),
    (job(), pod("Succeeded", terminated(0)), "Succeeded", None),
    (job(), pod("Failed", terminated(3)), "Failed", "exit code 3"),
    (job(), pod("Failed", terminated(137, reason="OOMKilled")), "Failed", "out of memory"),
    (job(), pod("Running", RUNNING, deletionTimestamp=LATER), "Ending", None),
    (None, pod("Running", RUNNING, deletionTimestamp=LATER), "Ending", None),
]


@pytest.mark.parametrize(("one_job", "one_pod", "phase", "reason"), CASES)
def test_an_attempt_is_in_the_phase_of_its_pod_or_else_of_its_job(one_job: Any, one_pod: Any, phase: str, reason: str | None) -> None:
    (found,) = attempts_of([one_job] if one_job else [], [one_pod] if one_pod else [])
    assert (found.phase, found.reason, found.job, found.has_job) == (phase, reason, "run-a", one_job is not None)
    assert (found.work, found.experiment, found.training_run, found.number) == ("experiment-a", "12", "34", 1)
    assert found.since is not None


def test_a_node_that_does_not_answer_is_the_reason() -> None:
    (found,) = attempts_of([job()], [pod("Running", RUNNING)], silent=["node1"])
    assert (found.phase, found.reason) == ("Running", "its node node1 does not answer")


def test_the_newest_pod_of_a_job_counts() -> None:
    old, new = pod("Failed", terminated(1), name="run-a-old"), pod("Running", RUNNING, name="run-a-new", at=LATER)
    (found,) = attempts_of([job()], [new, old])
    assert (found.pod, found.phase) == ("run-a-new", "Running")


def test_events_are_told_to_what_they_are_about() -> None:
    quota = 'Error creating: pods "x" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=7, limited: cpu=8'
    event = {"reason": "FailedCreate", "message": quota, "involvedObject": {"uid": "uid-run-a"}}
    first, second = attempts_of([job(), job("run-b")], [], [event])
    assert first.reason == "quota q does not allow it: asked cpu=2, in use cpu=7, allowed cpu=8"
    assert second.reason == "waiting for its pod to be made"


def thing(
    kind: Any = "Job", work: str | None = "experiment-a", *, run: str | None = None, ended: bool = True, experiment: str | None = "12"
) -> ClusterObject:
    return ClusterObject(kind, "it", work=work, experiment=experiment, training_run_name=run or ("run-a" if kind == "Job" else None), has_ended=ended)


KNOWN = frozenset({"experiment-a", "run-lone"})
LEFTOVERS = [
    ("a result that was taken", thing(), ServiceFacts(KNOWN), True),
    ("a result that waits", thing(), ServiceFacts(KNOWN, active=frozenset({"run-a"})), False),
    ("a Job that runs", thing(ended=False), ServiceFacts(KNOWN, active=frozenset({"run-a"})), False),
    ("a Job that runs for a training run that has ended", thing(ended=False), ServiceFacts(KNOWN), True),
    ("a Job of what is worked on", thing(), ServiceFacts(KNOWN, worked_on=frozenset({"experiment-a"})), False),
    ("a lone Job that runs", thing(work="run-lone", experiment=None, run="run-lone", ended=False), ServiceFacts(KNOWN), False),
    ("a lone Job that has ended", thing(work="run-lone", experiment=None, run="run-lone"), ServiceFacts(KNOWN), True),
    ("another service's", thing(work="experiment-b"), ServiceFacts(KNOWN), False),
    ("without a label of work", thing(work=None), ServiceFacts(KNOWN), False),
    ("a ConfigMap that nothing needs", thing("ConfigMap"), ServiceFacts(KNOWN), True),
    ("a Secret of what is worked on", thing("Secret"), ServiceFacts(KNOWN, worked_on=frozenset({"experiment-a"})), False),
    ("another service's ConfigMap", thing("ConfigMap", work="experiment-b"), ServiceFacts(KNOWN), False),
    ("a ConfigMap of a lone active one", thing("ConfigMap", "run-lone", experiment=None), ServiceFacts(KNOWN, active=frozenset({"run-lone"})), False),
]


@pytest.mark.parametrize(("one", "facts", "goes"), [case[1:] for case in LEFTOVERS], ids=[case[0] for case in LEFTOVERS])
def test_only_what_nobody_needs_is_left_over(one: ClusterObject, facts: ServiceFacts, goes: bool) -> None:
    (decision,) = judge([one], facts)
    assert decision.goes == goes and decision.why


def test_a_configmap_stays_with_a_job_that_stays() -> None:
    waits = ServiceFacts(KNOWN, active=frozenset({"run-a"}))
    assert [one.goes for one in judge([thing("ConfigMap"), thing("Secret"), thing()], waits)] == [False, False, False]
    assert [one.goes for one in judge([thing("ConfigMap"), thing("Secret"), thing()], ServiceFacts(KNOWN))] == [True, True, True]


def test_of_another_service_only_what_has_ended_goes_and_only_if_it_is_asked() -> None:
    ended, runs = thing(work="experiment-b"), thing(work="experiment-c", ended=False)
    things = [ended, runs, thing("ConfigMap", "experiment-b"), thing("ConfigMap", "experiment-c"), thing(work=None)]
    assert [one.goes for one in judge(things, ServiceFacts(KNOWN), everyones=True)] == [True, False, False, True, False]
    assert not any(one.goes for one in judge(things, ServiceFacts(KNOWN)))


def test_a_job_has_ended_when_its_condition_says_so() -> None:
    assert object_of("Job", job(condition="Failed")).has_ended and not object_of("Job", job()).has_ended
    assert judge([], ServiceFacts()) == []


@pytest.mark.cluster
async def test_what_is_on_a_cluster_is_read_with_its_reasons_and_goes_until_no_pod_is_left(cluster: Cluster) -> None:
    from kubernetes_asyncio.client import BatchV1Api, CoreV1Api

    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.jobs.removal import remove_training_run, remove_work

    uid = f"experiment-{secrets.token_hex(5)}"

    def manifest(number: int, image: str, **container: Any) -> dict[str, Any]:
        name = f"run-test{number}"
        labels = {**LABELS, WORK: uid, TRAINING_RUN: str(number), TRAINING_RUN_NAME: name}
        model = {"name": "model", "image": image, "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 300 & wait"], **container}
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": [model]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        return {"metadata": {"name": name, "labels": labels}, "spec": {"backoffLimit": 0, "template": template}}

    image = f"{cluster.registry}/python:3.11-slim"
    async with open_cluster(cluster) as connection:
        core: Any = CoreV1Api(connection.api)
        batch: Any = BatchV1Api(connection.api)
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/pods": "2"}}}
        await core.create_namespaced_resource_quota(cluster.namespace, quota)
        manifests = [manifest(1, image), manifest(2, image, resources={"requests": {"cpu": "500"}})]
        for one in manifests:
            await batch.create_namespaced_job(cluster.namespace, one)
        found: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while [one.phase for one in found.values()] != ["Running", "Pending"] or not str(found["run-test2"].reason).startswith("no node"):
                await asyncio.sleep(0.3)
                found = {one.job: one for one in await read_workload(connection, {WORK: uid})}
            await batch.create_namespaced_job(cluster.namespace, manifest(3, image))
            while "run-test3" not in found or "quota" not in (found["run-test3"].reason or ""):
                await asyncio.sleep(0.3)
                found = {one.job: one for one in await read_workload(connection, {WORK: uid})}
        assert found["run-test1"].node and found["run-test2"].reason == "no node fits: not enough free cpu (all of 2)"
        assert await remove_training_run(connection, "1", "run-test1") == 1
        assert [one.job for one in await read_workload(connection)] == ["run-test2", "run-test3"]
        await remove_work(connection, uid)
        assert await read_workload(connection) == []
        await remove_work(connection, uid)


@pytest.mark.cluster
async def test_what_somebody_else_made_is_neither_overwritten_nor_deleted(cluster: Cluster) -> None:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.client.errors import ClusterRefused
    from tasks.kubernetes.client.requests import ask
    from tasks.kubernetes.jobs.experiment_objects import delete_objects, ensure_objects
    from trialflow.errors import InvalidInput

    theirs = f"experiment-{secrets.token_hex(5)}"
    path = f"/api/v1/namespaces/{cluster.namespace}/secrets"
    async with open_cluster(cluster) as connection:
        for name in ("wandb-key", theirs):
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": "theirs"}}
            await ask(connection, "POST", path, what="make a Secret", body=body)
        for name in ("wandb-key", "wandb-key,a=b"):
            with pytest.raises(InvalidInput, match="nothing of that name is touched"):
                await delete_objects(connection, name)
        with pytest.raises(InvalidInput):
            await ensure_objects(connection, "wandb-key", owner={}, keys={"key": "ours"})
        with pytest.raises(ClusterRefused, match="was not made by trialflow"):
            await ensure_objects(connection, theirs, owner={}, keys={"key": "ours"})
        await delete_objects(connection, theirs)
        kept = [await ask(connection, "GET", f"{path}/{name}", what="read it") for name in ("wandb-key", theirs)]
        assert {one["data"]["key"] for one in kept} == {"dGhlaXJz"}
        ours = f"experiment-{secrets.token_hex(5)}"
        for _ in range(2):
            await ensure_objects(connection, ours, owner={}, keys={"key": "ours"})
        await delete_objects(connection, ours)
        left = (await ask(connection, "GET", path, what="list them"))["items"]
        assert sorted(one["metadata"]["name"] for one in left) == sorted(["wandb-key", theirs])
