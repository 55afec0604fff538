"""trialflow's server on a cluster: its manifests, and what is done about those that are there, with a real API server where that decides."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.cluster.installation import install
from tasks.kubernetes.jobs.workload import read_workload
from tasks.kubernetes.server.installing import (
    check_database,
    check_objects,
    check_storage,
    find_own,
    is_changing,
    manifests,
    place,
    plan_objects,
    read_server,
    reason_of,
    remove,
)
from tasks.kubernetes.server.manifests import NAME, ServerOptions, stateful_set
from tasks.operations.server import plan_removal
from trialflow.errors import InvalidInput

IMAGE = "registry.example.com/trialflow-server@sha256:" + "0" * 64
NEXT = "registry.example.com/trialflow-server@sha256:" + "1" * 64


@pytest.fixture
async def connection(cluster: Cluster) -> AsyncIterator[Connection]:
    async with open_cluster(cluster) as connection:
        await install(connection)
        yield connection


def test_the_server_runs_with_the_rights_of_flows_without_root_and_nothing_of_it_listens_for_the_network() -> None:
    pod = stateful_set(IMAGE, ServerOptions())["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == "trialflow-flows"
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "ports" not in container and not pod.get("hostNetwork")
    assert {one["kind"] for one in manifests(IMAGE, ServerOptions())} == {"Secret", "PersistentVolumeClaim", "StatefulSet"}


def test_tokens_are_in_the_secret_alone_and_new_each_time() -> None:
    first, second = manifests(IMAGE, ServerOptions()), manifests(IMAGE, ServerOptions())
    assert first[0]["stringData"] != second[0]["stringData"]
    for token in first[0]["stringData"].values():
        assert len(token) >= 40 and token not in json.dumps(first[1:])


@pytest.mark.parametrize(
    ("storage", "claim", "makes"),
    [("10Gi", NAME, True), ("500Mi", NAME, True), ("claim/data", "data", False), ("none", None, False)],
)
def test_the_volume_is_a_claim_of_its_own_or_one_that_exists_or_none(storage: str, claim: str | None, makes: bool) -> None:
    options = ServerOptions(storage)
    assert (options.claim, options.makes_claim) == (claim, makes)
    volume = stateful_set(IMAGE, options)["spec"]["template"]["spec"]["volumes"][0]
    assert volume == {"name": "data", **({"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}})}
    assert ServerOptions.of(stateful_set(IMAGE, options)) == options


@pytest.mark.parametrize(
    "options",
    [
        {"storage": "much"},
        {"storage": "0Gi"},
        {"storage": "claim/"},
        {"api_address": "10.0.0.1"},
        {"api_address": "x y:1"},
        {"database": "postgresql://me:hidden@db/trialflow"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        ServerOptions(**options)
    assert "hidden" not in refused.value.message


def test_the_address_of_a_database_comes_from_its_secret_alone() -> None:
    options = ServerOptions("none", database="db")
    assert options.keeps_experiments and ServerOptions.of(stateful_set(IMAGE, options)) == options
    pod = stateful_set(IMAGE, options)["spec"]["template"]["spec"]
    assert {"name": "database", "secret": {"secretName": "db", "items": [{"key": "url", "path": "url"}], "defaultMode": 0o440}} in pod["volumes"]
    assert "database" in [one["name"] for one in pod["containers"][0]["volumeMounts"]]
    without = stateful_set(IMAGE, ServerOptions("none"))["spec"]["template"]["spec"]
    assert "database" not in [one["name"] for one in without["volumes"]] and not ServerOptions("none").keeps_experiments


def test_the_address_of_the_api_server_replaces_the_one_that_kubernetes_tells_the_pod() -> None:
    (container,) = stateful_set(IMAGE, ServerOptions(api_address="https://10.0.0.1:6443"))["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one["value"] for one in container["env"]}
    assert (told["KUBERNETES_SERVICE_HOST"], told["KUBERNETES_SERVICE_PORT"]) == ("10.0.0.1", "6443")


def test_nothing_of_the_users_sign_in_goes_to_the_server() -> None:
    mine = Cluster("mine", provider="aws", kubeconfig={"users": [{"user": {"token": "secret"}}]}, context="c", registry="r.example.com")
    assert mine.from_inside() == replace(mine, provider="custom", kubeconfig={}, context=None)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "it is starting"),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, "it is starting"),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}]}, "ImagePullBackOff: no"),
        ({"containerStatuses": [{"state": {}, "lastState": {"terminated": {"exitCode": 1}}}]}, "it ended with exit code 1 and is started again"),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                        "lastState": {"terminated": {"exitCode": 1, "message": "0\n" * 9 + "error: no \x1b[2Jdatabase\n\nhint: make one\n"}},
                    }
                ]
            },
            "it ended with exit code 1 and is started again; its log ends with:" + "\n  0" * 6 + "\n  error: no \\x1b[2Jdatabase\n  hint: make one",
        ),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes"}]}, "0/2 nodes"),
    ],
)
def test_why_the_pod_is_not_ready_is_said(status: dict, words: str) -> None:
    assert reason_of({"status": status}) == words


@pytest.mark.parametrize(
    ("generation", "status", "expected"),
    [
        (1, {}, True),
        (1, {"observedGeneration": 1, "currentRevision": "a", "updateRevision": "a"}, False),
        (2, {"observedGeneration": 1, "currentRevision": "a", "updateRevision": "a"}, True),
        (2, {"observedGeneration": 2, "currentRevision": "a", "updateRevision": "b"}, True),
        (2, {"observedGeneration": 2, "currentRevision": "b", "updateRevision": "b"}, False),
    ],
)
def test_a_server_that_was_changed_is_not_ready_before_its_pod_is_the_new_one(generation: int, status: dict, expected: bool) -> None:
    assert is_changing({"metadata": {"generation": generation}, "status": status}) is expected


@pytest.mark.cluster
async def test_the_api_server_takes_the_manifests_in_a_restricted_namespace_and_a_second_time_changes_nothing(connection: Connection) -> None:
    options = ServerOptions("none")
    await check_objects(connection, IMAGE, ServerOptions("10Gi", "10.0.0.1:6443"))
    assert [one.action for one in await plan_objects(connection, IMAGE, options)] == ["make", "make"]
    assert [one.outcome for one in await place(connection, IMAGE, options)] == ["made", "made"]
    before = await read_server(connection)
    assert before and before.state == "starting" and before.token and before.prefect_token
    assert [one.action for one in await plan_objects(connection, IMAGE, options)] == ["keep", "keep"]
    assert [one.outcome for one in await place(connection, IMAGE, options)] == ["was there", "was there"]
    assert [one.outcome for one in await place(connection, NEXT, options)] == ["was there", "put right"]
    after = await read_server(connection)
    assert after and after.image == NEXT and (after.token, after.prefect_token) == (before.token, before.prefect_token)
    assert await read_workload(connection) == []  # the server is no training run
    plan = await plan_removal(connection)
    assert plan.kinds == ("StatefulSet", "Secret") and not plan.loses
    for kind in plan.kinds:
        assert await remove(connection, kind)
    assert await read_server(connection) is None and not await remove(connection, "Secret")


@pytest.mark.cluster
async def test_a_database_needs_a_secret_that_holds_its_address_which_no_error_shows_and_can_be_left_again(connection: Connection) -> None:
    options, path = ServerOptions("none", database="db"), f"/api/v1/namespaces/{connection.namespace}/secrets"
    with pytest.raises(InvalidInput, match="there is no Secret db in namespace") as refused:
        await check_database(connection, options)
    assert "kubectl create secret generic db" in str(refused.value.hint)
    kept = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    for data, words in (
        ({"password": "hidden"}, "has no key `url`"),
        ({"url": "mysql://me:hidden@db/trialflow"}, "begins with mysql"),
        ({"url": "postgresql://me:hidden@db"}, "no database"),
    ):
        await ask(connection, "POST", path, what="make a Secret", body={**kept, "stringData": data})
        with pytest.raises(InvalidInput, match=words) as refused:
            await check_database(connection, options)
        assert "hidden" not in f"{refused.value.message}{refused.value.hint}"
        await ask(connection, "DELETE", f"{path}/db", what="delete it")
    await ask(connection, "POST", path, what="make a Secret", body={**kept, "stringData": {"url": "postgresql://me:hidden@db/trialflow"}})
    await check_database(connection, options)
    await place(connection, IMAGE, ServerOptions("none"))
    for wanted in (options, ServerOptions("none")):
        assert [one.outcome for one in await place(connection, IMAGE, wanted)] == ["was there", "put right"]
        assert [one.outcome for one in await place(connection, IMAGE, wanted)] == ["was there", "was there"]
        found = await find_own(connection, "StatefulSet")
        assert found is not None and ServerOptions.of(found) == wanted
        volumes = [one["name"] for one in found["spec"]["template"]["spec"]["volumes"]]
        assert ("database" in volumes) is (wanted.database_secret is not None)


@pytest.mark.cluster
async def test_what_somebody_else_has_made_by_that_name_is_neither_used_nor_changed_nor_deleted(connection: Connection) -> None:
    path = f"/api/v1/namespaces/{connection.namespace}/secrets"
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": {"token": "theirs"}}
    await ask(connection, "POST", path, what="make a Secret", body=theirs)
    for attempt in (read_server(connection), place(connection, IMAGE, ServerOptions("none")), plan_removal(connection), remove(connection, "Secret")):
        with pytest.raises(ClusterRefused, match="not made by trialflow"):
            await attempt
    found = await ask(connection, "GET", f"{path}/{NAME}", what="read it")
    assert base64.b64decode(found["data"]["token"]) == b"theirs"


@pytest.mark.cluster
async def test_a_volume_that_cannot_be_had_is_refused_before_anything_is_made(connection: Connection) -> None:
    with pytest.raises(InvalidInput, match="no PersistentVolumeClaim missing"):
        await check_storage(connection, ServerOptions("claim/missing"))
    with pytest.raises(InvalidInput, match="no default storage class"):  # the cluster of these tests has none
        await check_storage(connection, ServerOptions("10Gi"))
    await check_storage(connection, ServerOptions("none"))
