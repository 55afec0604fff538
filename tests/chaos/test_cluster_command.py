"""The command is killed, asked to end or interrupted at exact requests; a service that is killed, a database that is busy."""

import itertools
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from tests.chaos.gateway import Gateway, Seen, before_cluster
from tests.e2e.clusters import Tenant, connected, finish
from tests.e2e.users import User
from trialflow.embedded import lease, service_server
from trialflow.home import Home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
STEPS = {
    "suggest": ("POST", r"/v1/aiexperiments/\d+/training_runs", b""),
    "launch": ("POST", r"/apis/batch/v1/namespaces/[^/]+/jobs", b'"run-'),  # not the rehearsal of one
    "collect": ("GET", r"/api/v1/namespaces/[^/]+/pods/[^/]+/log", b""),
    "observe": ("MERGE", r"/v1/training_runs/\d+", b'"state"'),
}
KILLS = [(signal.SIGKILL, step, moment) for step, moment in itertools.product(STEPS, ("before", "after"))]
REQUESTS_TO_END = [(signal.SIGINT, "launch", "after"), (signal.SIGTERM, "observe", "after")]
"""Both end it by the same handler; `tests/flows/test_tuning.py` interrupts it while models run, and while one is being launched."""


class Blow:
    """One signal to the command at one request, and no other."""

    def __init__(self, process: subprocess.Popen[str], number: int, step: str) -> None:
        self.process = process
        self.number = number
        self.step = step
        self.has_fallen = False

    def __call__(self, seen: Seen) -> bool:
        """Strike if this is the request; one of a command that is dead gets no answer."""
        if self.has_fallen or not seen.matches(*STEPS[self.step]):
            return False
        self.has_fallen = True
        self.process.send_signal(self.number)
        if self.number == signal.SIGKILL:
            self.process.wait(10)
        return self.number == signal.SIGKILL


@pytest.fixture
def between(user: User) -> Iterator[tuple[Tenant, list[Gateway]]]:
    """A user with a gateway before the cluster and another before the service."""
    with lease(service_server(Home(user.home))) as service, Gateway(service.url).running() as before_service:
        routed = replace(user, variables={"SIGOPT_API_URL": before_service.url, "SIGOPT_API_TOKEN": Home(user.home).token()})
        with before_cluster(user.folder.parent) as (gateway, kubeconfig), connected(routed, kubeconfig) as found:
            yield found, [gateway, before_service]


def test_whatever_ends_the_command_in_whichever_step_the_same_command_goes_on(between: tuple[Tenant, list[Gateway]]) -> None:
    tenant, gateways = between
    blows = [*KILLS, *REQUESTS_TO_END]
    budget = 20
    tenant.write(budget=budget, seconds=0.5)
    for number, step, moment in blows:
        process = tenant.user.start("cluster", "optimize", "--no-canary")
        blow = Blow(process, number, step)
        for gateway in gateways:
            setattr(gateway, moment, blow)
        _, said = process.communicate(timeout=60)
        for gateway in gateways:
            gateway.before = gateway.after = lambda seen: None
        told = f"{number.name} {moment} {step}: {said}"
        assert blow.has_fallen, told
        if number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL, told
        else:
            assert process.returncode == 130 and "nothing is lost" in said, told
            assert tenant.left() == [], told
    code, out, said = finish(tenant.user.start("cluster", "optimize", "-o", "json"))
    assert code == 0, said
    summary = json.loads(out)
    assert summary["lost"] == 0
    tenant.assert_whole(summary, budget)


def test_a_service_that_is_killed_and_a_database_that_is_busy_lose_nothing(tenant: Tenant) -> None:
    model = "for i in 1 2 3 4 5 6 7 8 9; do echo step=$i; sleep 0.3; done; echo y=$TRIALFLOW_PARAM_X"
    tenant.write(budget=12, seconds=0, model=model, metrics={"y": "y=(.*)", "step": "step=(.*)"})
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    tenant.wait_for_pods(process, 4)
    for _ in range(4):
        kill_service(Home(tenant.user.home))
        time.sleep(1.5)
    with sqlite3.connect(Home(tenant.user.home).service / "trialflow.db", timeout=30) as database:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(8)
        database.rollback()
    code, out, said = finish(process)
    assert code == 0, said
    summary = json.loads(out)
    assert summary["lost"] == 0
    tenant.assert_whole(summary, 12)
    runs = json.loads(tenant.user.type("experiment", "export", summary["experiment"], "-o", "json")[1])
    assert {run["values"]["step"] for run in runs} == {9}


def kill_service(home: Home) -> None:
    """kill -9 to the service of a home."""
    process = psutil.Process(json.loads((home.servers / "service" / "child.json").read_text())["pid"])
    assert str(home.root) in " ".join(process.cmdline())
    process.kill()
