"""Experiments on a real cluster lose nothing, whatever is killed: the flow, pods, a node."""

import json
import time

import pytest

from tests.e2e.clusters import Tenant, finish

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.mark.parametrize("down", [0, 6])
def test_a_killed_flow_is_taken_up_where_it_was(tenant: Tenant, down: int) -> None:
    tenant.write(budget=8, seconds=3)
    process = tenant.user.start("cluster", "optimize", "--no-canary")
    before = {pod["metadata"]["name"] for pod in tenant.wait_for_pods(process, 4)}
    process.kill()
    process.communicate()
    time.sleep(down)  # meanwhile pods end with nobody there
    code, out, said = finish(tenant.user.start("cluster", "optimize", "-o", "json"))
    assert code == 0, said
    summary = json.loads(out)
    assert summary["lost"] == 0 and len(before) == 4
    tenant.assert_whole(summary, 8)


def test_deleted_and_evicted_pods_are_lost_and_launched_again(tenant: Tenant) -> None:
    tenant.write(budget=6, seconds=10)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    first, second, *_ = tenant.wait_for_pods(process, 4)
    tenant.kubectl("delete", "pod", first["metadata"]["name"], "--wait=false")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": second["metadata"]["name"], "namespace": tenant.namespace}}
    file = tenant.user.folder / "eviction.json"
    file.write_text(json.dumps(eviction))
    path = f"/api/v1/namespaces/{tenant.namespace}/pods/{second['metadata']['name']}/eviction"
    tenant.kubectl("create", "--raw", path, "-f", str(file))
    code, out, said = finish(process)
    assert code == 0, said
    assert said.count(" lost (") == 2 and "evicted" in said, said
    summary = json.loads(out)
    assert summary["lost"] == 2
    tenant.assert_whole(summary, 6)
