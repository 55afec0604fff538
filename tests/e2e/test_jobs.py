"""Flows as Jobs of a cluster, for a Prefect server and a work pool of one's own: its commands as they are typed, and its pod is killed."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prefect_kubernetes.worker import KubernetesWorker

from tasks.images import building, own
from tests import given
from tests.e2e.clusters import Tenant, connected
from tests.e2e.deployed import PREFECT, end, prefect, wait_for
from tests.e2e.network import address_for_pods, forwarded
from tests.e2e.reconnecting import admin
from tests.e2e.users import User
from tests.waiting import free_port, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
LOGIN = "team:a-login-that-is-shown-nowhere"
BUDGET = 4
PATIENCE = 480.0
FLOW = "prefect.io/flow-run-id"
WORKER = "PREFECT_INTEGRATIONS_KUBERNETES_"
EXPERIMENT = {
    "name": "as-a-job",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "y", "strategy": "optimize", "objective": "maximize"}],
    "type": "random",
    "parallel_bandwidth": 2,
    "budget": BUDGET,
}


@dataclass
class Team:
    """A user with a cluster, whose Prefect server and service listen where pods reach them."""

    tenant: Tenant
    service: str
    folder: Path

    @property
    def user(self) -> User:
        return self.tenant.user

    def type(self, *arguments: str) -> str:
        """Type a command of trialflow's that has to succeed: what it said."""
        code, out, said = self.user.type(*arguments)
        assert code == 0, said
        return out + said

    def flow_pods(self) -> list[dict]:
        """The pods of flow runs that run."""
        pods = json.loads(self.tenant.administer("get", "pods", "-l", FLOW, "-o", "json"))["items"]
        return [pod for pod in pods if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]]

    def training_pods(self) -> list[dict]:
        """Those of training runs."""
        return [pod for pod in self.tenant.pods() if FLOW not in pod["metadata"]["labels"] and pod["status"].get("phase") == "Running"]


@contextmanager
def started(command: list[str], user: User, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a user's, until the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=user.environment, cwd=user.folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process)


@pytest.fixture
def team(tmp_path: Path, migrated: Callable[[Path], Path]) -> Iterator[Team]:
    kubeconfig = given.kubeconfig()
    address, port = address_for_pods(kubeconfig), free_port()
    (tmp_path / "nothing").mkdir()
    variables = {
        "PREFECT_HOME": str(migrated(tmp_path / "prefect")),
        "PREFECT_API_URL": f"http://{address}:{port}/api",
        "PREFECT_API_AUTH_STRING": LOGIN,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "KUBECONFIG": kubeconfig,
        f"{WORKER}WORKER_API_AUTH_STRING_SECRET_NAME": "prefect-login",
        f"{WORKER}WORKER_API_AUTH_STRING_SECRET_KEY": "value",
    }
    user = User(tmp_path / "nothing", tmp_path / "home", variables)
    serving = replace(user, variables={**variables, "PREFECT_SERVER_API_AUTH_STRING": LOGIN})
    said = tmp_path / "service.log"
    with ExitStack() as held:
        held.enter_context(started([PREFECT, "server", "start", "--host", address, "--port", str(port)], serving, tmp_path / "server.log"))
        held.enter_context(started([user.python, "-m", "trialflow", "service", "--host", address, "--port", "0"], user, said))
        (url,) = until(lambda: re.findall(r"serving at (http://\S+);", said.read_text()), said.read_text, 120)
        wait_for(f"http://{address}:{port}/api/health")
        tenant = held.enter_context(connected(user))
        yield Team(tenant, url, tmp_path)


async def own_image(repository: str) -> str:
    """trialflow's own image, in the registry."""
    async with own.planned(repository) as plan:
        if found := await building.find_image(plan):
            return found
        await building.build_image(plan)
        return await building.push_image(plan)


def make_pool(team: Team, api_server: tuple[str, int]) -> None:
    """The work pool as Prefect makes it, but that pods find the API server where they reach it on this machine's cluster."""
    template = KubernetesWorker.get_default_base_job_template()
    reached = {"KUBERNETES_SERVICE_HOST": api_server[0], "KUBERNETES_SERVICE_PORT": str(api_server[1])}
    template["variables"]["properties"]["env"]["default"] = reached
    (team.folder / "template.json").write_text(json.dumps(template))
    prefect(team.user.environment, "work-pool", "create", "k8s", "--type", "kubernetes", "--base-job-template", str(team.folder / "template.json"))


def make_secrets(team: Team) -> None:
    """What pods are not told in clear."""
    token = team.type("token").strip()
    admin(team.tenant, "create", "secret", "generic", "prefect-login", f"--from-literal=value={LOGIN}")
    address = [f"--from-literal=SIGOPT_API_URL={team.service}", f"--from-literal=SIGOPT_API_TOKEN={token}"]
    admin(team.tenant, "create", "secret", "generic", "trialflow-service", *address)


def state_of(team: Team, flow_run: str) -> dict:
    """The flow run as Prefect has it."""
    return json.loads(prefect(team.user.environment, "flow-run", "inspect", flow_run, "--output", "json"))


def ended(team: Team, flow_run: str) -> dict:
    """The flow run, once it has ended."""
    until(
        lambda: state_of(team, flow_run)["state_type"] in ("COMPLETED", "FAILED", "CRASHED"),
        lambda: (team.folder / "worker.log").read_text() + str(state_of(team, flow_run)),
        PATIENCE,
        pause=1,
    )
    return state_of(team, flow_run)


def schedule_one(team: Team, deploy: list[str]) -> str:
    """Schedule an experiment, have the deployments move, and trigger it: the flow run."""
    folder = team.user.folder
    (folder / "experiment.yml").write_text(json.dumps({**EXPERIMENT, "name": "nightly", "budget": 1}))
    model = {"run": "echo y=$TRIALFLOW_PARAM_X", "metrics": {"y": "y=(.*)"}}
    (folder / "run.yml").write_text(json.dumps(model))
    code, _, said = team.user.type("schedule", "add", "--cron", "0 2 * * *")
    assert code == 2 and "run.yml names no image" in said
    (folder / "run.yml").write_text(json.dumps({**model, "image": f"{team.tenant.registry}/python:3.11-slim"}))
    added = team.type("schedule", "add", "--cron", "0 2 * * *", "-n", team.tenant.name)
    assert "schedule nightly was added" in added and "a worker of work pool k8s is needed" in added
    assert "@sha256:" in json.loads(team.type("schedule", "show", "nightly", "-o", "json"))["parameters"]["cluster"]["image"]["reference"]
    assert "schedule nightly was changed" in team.type("schedule", "add", "--cron", "0 2 * * *"), "on the cluster of the deployments"
    assert "schedules that follow: nightly" in team.type(*deploy)
    return re.findall(r"flow run (\S+)", team.type("schedule", "run", "nightly"))[0]


def test_a_flow_as_a_job_goes_on_in_another_pod_with_the_exact_budget_and_leaves_nothing(team: Team) -> None:
    tenant, variables = team.tenant, team.user.environment
    image = asyncio.run(own_image(f"{tenant.registry}/e2e/{own.NAME}"))
    make_secrets(team)
    with forwarded(tenant) as api_server:
        make_pool(team, api_server)
        deploy = ["deploy", "--work-pool", "k8s", "--image", image, "--service-secret", "trialflow-service"]
        assert "prefect worker start --pool k8s" in team.type(*deploy)
        team.user.variables[f"{WORKER}OBSERVER_NAMESPACES"] = tenant.namespace
        with started([PREFECT, "worker", "start", "--pool", "k8s"], team.user, team.folder / "worker.log"):
            model = {"run": "sleep 6; echo y=$TRIALFLOW_PARAM_X", "image": f"{tenant.registry}/python:3.11-slim", "metrics": {"y": "y=(.*)"}}
            parameters = ["-p", f"experiment={json.dumps(EXPERIMENT)}", "-p", f"run={json.dumps(model)}"]
            flow_run = re.findall(r"UUID: (\S+)", prefect(variables, "deployment", "run", "optimize/optimize", *parameters))[0]
            until(lambda: len(team.training_pods()) == 2, "two training runs never ran at once", PATIENCE, pause=0.5)
            (pod,) = team.flow_pods()
            assert LOGIN not in tenant.administer("get", "pods,jobs", "-o", "json"), "the login is in a Secret alone"
            tenant.administer("delete", "pod", pod["metadata"]["name"])
            first = ended(team, flow_run)
            scheduled = ended(team, schedule_one(team, deploy))
    assert first["state_type"] == "COMPLETED" and first["run_count"] == 2, first
    assert first["state"]["message"].startswith(f"{BUDGET} of {BUDGET}")
    assert scheduled["state_type"] == "COMPLETED" and scheduled["state"]["message"].startswith("1 of 1"), scheduled
    runs = json.loads(team.user.type("experiment", "export", "1", "-o", "json")[1])
    assert len(runs) == BUDGET and {(run["state"], run["attempt"], run["lost"]) for run in runs} == {("completed", 1, 0)}
    assert len({json.dumps(run["assignments"]) for run in runs}) == BUDGET
    assert tenant.left() == []
