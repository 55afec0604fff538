"""Nodes are drained, deleted, cut off, lost and returned again and again, closed: the budget is exact, and nothing is done twice."""

import json
import secrets

import httpx
import pytest

from tests.chaos.nodes import Nodes
from tests.e2e.clusters import Tenant, finish

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.nodes]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def test_a_drained_node_and_one_whose_object_is_deleted_cost_no_budget(nodes: Nodes, tenant: Tenant) -> None:
    tenant.write(budget=6, seconds=20)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    tenant.wait_for_pods(process, 4)
    drained, on_it = nodes.busiest()
    (deleted,) = set(nodes.names) - {drained}
    tenant.administer("drain", drained, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=trialflow.dev/work")
    nodes.until_one_runs_on(deleted)
    tenant.administer("uncordon", drained)
    tenant.administer("delete", "node", deleted)
    nodes.lose(deleted)  # what is deleted before its machine is shut down
    code, out, said = finish(process)
    assert code == 0, said
    assert said.count("it was evicted from node") >= len(on_it), said
    tenant.assert_whole(json.loads(out), 6)


def test_a_node_is_lost_and_returned_five_times_during_one_experiment(nodes: Nodes, tenant: Tenant) -> None:
    tenant.write(budget=16, seconds=10)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    for time_enough_to_notice in (True, False, False, True, False):
        name, pods = nodes.busiest()
        nodes.lose(name)
        if time_enough_to_notice:
            nodes.until_given_up(pods)
        nodes.give_back(name)
    code, out, said = finish(process)
    assert code == 0, said
    summary = json.loads(out)
    assert summary["lost"] == said.count(" lost (") >= 5, said
    tenant.assert_whole(summary, 16)


def test_what_a_node_still_brings_that_was_given_up_is_not_counted(nodes: Nodes, tenant: Tenant) -> None:
    tenant.write(budget=4, seconds=10)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    tenant.wait_for_pods(process, 4)
    name, pods = nodes.busiest()
    with nodes.cut_off(name):
        nodes.until_given_up(pods)
    code, out, said = finish(process)
    assert code == 0, said
    summary = json.loads(out)
    assert summary["lost"] == said.count(" lost (") == len(pods), said
    tenant.assert_whole(summary, 4)


def test_closed_nodes_are_waited_for_and_an_image_that_disappears_ends_the_work_with_the_reason(nodes: Nodes, tenant: Tenant) -> None:
    image = Image(tenant.registry)
    image.push()
    tenant.write(budget=6, seconds=2, image=f"{tenant.registry}/{image.name}:1")
    first, second = nodes.names
    tenant.administer("cordon", second)
    process = tenant.user.start("cluster", "optimize", "-o", "json")
    tenant.wait_for_pods(process, 1)  # the first one alone
    tenant.administer("cordon", first)
    line = ""
    while "pending" not in line and process.stderr:
        line = process.stderr.readline()
        assert line, "the command ended"
    assert "no node" in line or "cordoned" in line, line
    image.delete()
    tenant.administer("uncordon", second)
    code, _, said = finish(process)
    assert code == 2 and "cannot be started" in said and "does not have it" in said, said
    assert tenant.left() == []
    image.push()
    code, out, said = finish(tenant.user.start("cluster", "optimize", "-o", "json"))
    image.delete()
    assert code == 0, said
    tenant.assert_whole(json.loads(out), 6)


class Image:
    """An image of the registry under a name of its own, with the layers of another."""

    def __init__(self, registry: str) -> None:
        self.name = f"e2e/disappearing-{secrets.token_hex(4)}"
        self._http = httpx.Client(base_url=f"http://{registry}/v2/", headers={"Accept": MANIFEST})
        found = self._http.get("python/manifests/3.11-slim")
        self._manifest, self._digest = found.content, found.headers["Docker-Content-Digest"]

    def push(self) -> None:
        """Put it there."""
        facts = json.loads(self._manifest)
        for blob in [facts["config"], *facts["layers"]]:
            self._http.post(f"{self.name}/blobs/uploads/", params={"mount": blob["digest"], "from": "python"}).raise_for_status()
        answer = self._http.put(f"{self.name}/manifests/1", content=self._manifest, headers={"Content-Type": MANIFEST})
        answer.raise_for_status()

    def delete(self) -> None:
        """Take it away."""
        self._http.delete(f"{self.name}/manifests/{self._digest}").raise_for_status()
