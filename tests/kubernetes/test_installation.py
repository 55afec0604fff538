"""What trialflow needs on a cluster is made, found again, put right, and is enough."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.cluster.access import RIGHTS, missing_rights
from tasks.kubernetes.cluster.installation import Installed, difference, has_model_account, install, manifests, refuse_without

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
            at_once = await asyncio.gather(*(install(connection) for _ in range(3)))
            assert {one.outcome for installed in at_once for one in installed} <= {"made", "was there"}
            assert {one.outcome for one in await install(connection)} == {"was there"} and await has_model_account(connection)
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
