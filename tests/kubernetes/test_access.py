"""Which rights are missing is found out, and what to ask for is a Role that gives exactly them."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.cluster.access import RIGHTS, Right, is_covered, missing_rights, require_rights, role_for, rules

NODES = [right for right in RIGHTS if right.resource == "nodes"]
JOBS = [right for right in RIGHTS if right.resource == "jobs"]


def test_there_is_one_rule_for_each_resource() -> None:
    assert rules([*JOBS[:2], *NODES[:1]]) == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
    ]


@pytest.mark.parametrize(
    ("missing", "kinds"), [([], []), (JOBS, ["Role"]), (NODES, ["ClusterRole"]), ([*JOBS, *NODES], ["Role", "ClusterRole"])], ids=str
)
def test_what_to_ask_for_is_a_role_of_what_is_missing(missing: list, kinds: list[str]) -> None:
    found = list(yaml.safe_load_all(role_for(missing, "ns"))) if missing else []
    assert [one["kind"] for one in found] == kinds and [rule for one in found for rule in one["rules"]] == rules(missing)


def test_flows_need_no_more_than_this() -> None:
    found = {rule["resources"][0]: " ".join(rule["verbs"]) for rule in rules(RIGHTS)}
    assert found == {
        "jobs": "create get list watch delete deletecollection",
        "pods": "get list watch delete",
        "pods/log": "get",
        "configmaps": "create get update delete list",
        "secrets": "create get update delete",
        "serviceaccounts": "get",
        "events": "list",
        "nodes": "get list",
    }


RULE = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]}


@pytest.mark.parametrize(
    ("rule", "is_enough"),
    [
        (RULE, True),
        (RULE | {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        (RULE | {"verbs": ["list"]}, False),
        (RULE | {"apiGroups": ["batch"]}, False),
        (RULE | {"resources": ["pods"]}, False),
        (RULE | {"resourceNames": ["one"]}, False),
        ({}, False),
    ],
)
def test_a_rule_covers_a_right_by_name_or_by_a_star_and_not_for_single_objects(rule: dict[str, Any], is_enough: bool) -> None:
    assert is_covered(Right("", "pods/log", "get"), [{}, rule]) == is_enough


@pytest.mark.cluster
async def test_an_administrator_lacks_nothing_and_a_stranger_all(cluster: Cluster) -> None:
    async with open_cluster(cluster) as connection:
        assert await missing_rights(connection) == []
        before = connection.requests
        await require_rights(connection)
        assert connection.requests == before + 1
    document: dict[str, Any] = json.loads(json.dumps(cluster.kubeconfig))
    document["users"][0]["user"]["as"] = "stranger"
    async with open_cluster(replace(cluster, kubeconfig=document)) as connection:
        assert await missing_rights(connection) == list(RIGHTS)
        with pytest.raises(ClusterRefused, match="create jobs.batch.*update secrets"):
            await require_rights(connection)
