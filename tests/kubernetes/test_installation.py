"""What trialflow needs on a cluster is made, found again, put right, and is enough."""

import asyncio
import json
import secrets
from dataclasses import replace
from typing import Any

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.cluster.access import RIGHTS, missing_rights
from tasks.kubernetes.cluster.gpus import device_plugin
from tasks.kubernetes.cluster.installation import (
    PATHS,
    Installed,
    difference,
    ensure,
    has_model_account,
    install,
    manifests,
    plan_installation,
    plan_object,
    refuse_without,
)

ROLE = next(one for one in manifests("ns") if one["kind"] == "Role")


@pytest.mark.parametrize(
    ("found", "patch"),
    [
        (ROLE, []),
        ({**ROLE, "metadata": {"labels": {"theirs": "1"}}}, []),
        ({**ROLE, "rules": []}, ["rules"]),
        ({**ROLE, "rules": [*ROLE["rules"], {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}, ["rules"]),
    ],
)
def test_only_what_differs_is_put_right(found: dict, patch: list[str]) -> None:
    assert list(difference(found, ROLE)) == patch


def test_a_namespace_of_others_is_never_changed() -> None:
    assert difference({"metadata": {}}, manifests("ns")[0]) == {}


def impersonating(cluster: Cluster, user: str) -> Cluster:
    document: dict[str, Any] = json.loads(json.dumps(cluster.kubeconfig))
    document["users"][0]["user"] |= {"as": user}
    return replace(cluster, kubeconfig=document)


async def forget_binding(connection: Connection) -> None:
    """What lies outside the namespace does not go with it."""
    from kubernetes_asyncio.client import RbacAuthorizationV1Api

    await RbacAuthorizationV1Api(connection.api).delete_cluster_role_binding(f"trialflow-flows-{connection.namespace}")


@pytest.mark.cluster
async def test_twice_and_at_once_is_the_same_as_once_and_gives_flows_their_rights(cluster: Cluster) -> None:
    async with open_cluster(cluster) as connection:
        try:
            assert {one.action for one in await plan_installation(connection) if one.kind not in ("Namespace", "ClusterRole")} == {"make"}
            at_once = await asyncio.gather(*(install(connection) for _ in range(3)))
            assert {one.outcome for installed in at_once for one in installed} <= {"made", "was there"}
            assert {one.outcome for one in await install(connection)} == {"was there"} and await has_model_account(connection)
            assert {one.action for one in await plan_installation(connection)} == {"keep"}
            account = impersonating(cluster, f"system:serviceaccount:{cluster.namespace}:trialflow-flows")
            async with open_cluster(account) as flows:
                assert await missing_rights(flows) == []
            async with open_cluster(impersonating(cluster, f"system:serviceaccount:{cluster.namespace}:trialflow-model")) as model:
                assert await missing_rights(model) == list(RIGHTS)
        finally:
            await forget_binding(connection)


@pytest.mark.cluster
async def test_what_was_changed_is_put_right(cluster: Cluster) -> None:
    from kubernetes_asyncio.client import RbacAuthorizationV1Api

    async with open_cluster(cluster) as connection:
        await install(connection)
        try:
            await RbacAuthorizationV1Api(connection.api).patch_namespaced_role("trialflow-flows", cluster.namespace, {"rules": []})
            assert [one.kind for one in await install(connection) if one.outcome == "put right"] == ["Role"]
        finally:
            await forget_binding(connection)


@pytest.mark.cluster
async def test_what_may_not_be_made_is_told_and_what_is_needed_is_asked_for(cluster: Cluster) -> None:
    async with open_cluster(impersonating(cluster, "stranger")) as connection:
        installed = await install(connection)
        assert {one.outcome for one in installed} == {"not allowed"} and "stranger" in str(installed[0])
        with pytest.raises(ClusterRefused) as refused:
            refuse_without(await missing_rights(connection), installed, cluster.namespace)
    assert "create jobs.batch" in refused.value.message and "kind: Role" in (refused.value.hint or "")


def test_the_rest_may_be_lacking() -> None:
    refuse_without([right for right in RIGHTS if not right.is_needed], [Installed("Role", "trialflow-flows", "not allowed", False)], "ns")
    with pytest.raises(ClusterRefused, match="service account trialflow-model"):
        refuse_without([], [Installed("ServiceAccount", "trialflow-model", "not allowed", True)], "ns")


@pytest.mark.cluster
async def test_a_namespace_that_is_made_is_restricted_and_keeps_models_from_the_metadata_address(cluster: Cluster) -> None:
    own = replace(cluster, namespace=f"trialflow-made-{secrets.token_hex(4)}")
    async with open_cluster(own) as connection:
        try:
            await install(connection)
            path = f"/api/v1/namespaces/{own.namespace}"
            made = await ask(connection, "GET", path, what="read it")
            assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
            policy = await ask(connection, "GET", f"{PATHS['NetworkPolicy'].format(namespace=own.namespace)}/trialflow-egress", what="read it")
            assert "169.254.169.254/32" in policy["spec"]["egress"][0]["to"][0]["ipBlock"]["except"]
            root = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            with pytest.raises(ClusterRefused, match="violates PodSecurity"):
                await ask(connection, "POST", f"{path}/pods", what="make a pod that may be root", query={"dryRun": "All"}, body=root)
        finally:
            await forget_binding(connection)
            await ask(connection, "DELETE", f"/api/v1/namespaces/{own.namespace}", what="delete it")


@pytest.mark.cluster
async def test_the_device_plugin_is_valid_and_compared_as_it_is_kept(cluster: Cluster) -> None:
    manifest = device_plugin()
    async with open_cluster(cluster) as connection:
        assert (await plan_object(connection, manifest)).action == "make"
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        checked = await ask(connection, "POST", PATHS["DaemonSet"], what="have it checked", query=query, body=manifest)
        assert difference(checked, manifest) == {}
        policy = next(one for one in manifests(cluster.namespace) if one["kind"] == "NetworkPolicy")
        assert (await ensure(connection, policy)).outcome == "made" and (await plan_object(connection, policy)).action == "keep"
