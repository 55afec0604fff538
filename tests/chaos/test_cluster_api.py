"""The API server answers wrongly, forgets its watches, is not to be reached: the experiment goes on by itself."""

import itertools
import json
import random
import subprocess
import time
from collections.abc import Iterator

import pytest
from aiohttp import web

from tests.chaos.gateway import Fault, Gateway, Seen, before_cluster
from tests.e2e.clusters import Tenant, connected, finish
from tests.e2e.users import User

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
AWAY_SECONDS = 60


@pytest.fixture
def reached(user: User) -> Iterator[tuple[Tenant, Gateway]]:
    """A user whose way to the cluster leads through a gateway."""
    with before_cluster(user.folder.parent) as (gateway, kubeconfig), connected(user, kubeconfig) as tenant:
        yield tenant, gateway


class Weather:
    """Wrong answers: to one request in four, at random, and to watches in turns."""

    def __init__(self) -> None:
        self.random = random.Random(1)
        self.given: dict[str, int] = {}
        self.watches = itertools.cycle(["410", "410 in the watch", "500", "none", "none"])

    def __call__(self, seen: Seen) -> Fault:
        if not seen.agent.startswith("trialflow"):
            return None
        kind = next(self.watches) if seen.is_watch else self.random.choice(["429", "500", "503", *["none"] * 9])
        self.given[kind] = self.given.get(kind, 0) + 1
        if kind == "none":
            return None
        code = int(kind.split()[0])
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": f"it is a {code}"}
        if kind == "410 in the watch":
            return web.Response(text=json.dumps({"type": "ERROR", "object": {**status, "reason": "Expired"}}) + "\n")
        return web.json_response(status, status=code, headers={"Retry-After": "1"} if code == 429 else {})


def test_wrong_answers_and_broken_connections_cost_nothing(reached: tuple[Tenant, Gateway]) -> None:
    tenant, gateway = reached
    tenant.write(budget=10, seconds=1)
    gateway.fault = weather = Weather()
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    for _ in range(3):
        tenant.wait_for_pods(process, 2)
        gateway.cut()
        gateway.mend()
    code, out, said = finish(process)
    gateway.fault = lambda seen: None
    assert code == 0, said
    assert {"429", "500", "503", "410", "410 in the watch"} <= set(weather.given), weather.given
    summary = json.loads(out)
    assert summary["lost"] == 0
    tenant.assert_whole(summary, 10)


def test_a_minute_without_network_is_waited_for(reached: tuple[Tenant, Gateway]) -> None:
    tenant, gateway = reached
    tenant.write(budget=8, seconds=4)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    tenant.wait_for_pods(process, 4)
    gateway.cut()
    wait(process, AWAY_SECONDS)
    gateway.mend()
    code, out, said = finish(process)
    assert code == 0, said
    assert "nothing answers at http://127.0.0.1" in said
    summary = json.loads(out)
    assert summary["lost"] == 0
    tenant.assert_whole(summary, 8)


def wait(process: subprocess.Popen[str], seconds: float) -> None:
    """Let time pass, as long as the command goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.2)


def test_a_training_run_costs_few_requests_and_an_experiment_one_watch(reached: tuple[Tenant, Gateway]) -> None:
    tenant, gateway = reached
    tenant.write(budget=12, seconds=0.2)
    before = len(gateway.seen)
    code, out, said = finish(tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json"))
    assert code == 0, said
    ours = [seen for seen in gateway.seen[before:] if seen.agent.startswith("trialflow")]
    print(f"{len(ours)} requests for 12 training runs")
    assert len(ours) < 10 * 12, [f"{seen.method} {seen.path}" for seen in ours]
    assert gateway.most_watches == 1 and sum(seen.is_watch for seen in ours) == 1
    tenant.assert_whole(json.loads(out), 12)
