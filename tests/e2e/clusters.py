"""A user with a connected cluster, in a namespace of their own, and what has to be true of it in the end."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sigopt.request_driver import RequestDriver

from tests import given
from tests.e2e.namespaces import delete_namespace
from tests.e2e.users import User
from trialflow.embedded import lease, service_server
from trialflow.home import Home

EXPERIMENT = """\
name: NAME
parameters:
  - {name: x, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: y, strategy: optimize, objective: maximize}
type: random
parallel_bandwidth: 4
budget: BUDGET
"""
POLL_SECONDS = 0.3
KINDS = (
    "jobs,pods,configmaps,secrets,serviceaccounts,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,services,statefulsets,"
    "persistentvolumeclaims,networkpolicies,resourcequotas,limitranges"
)
"""What a namespace may hold."""
MODEL = "sleep SECONDS; echo y=$TRIALFLOW_PARAM_X"


@dataclass
class Tenant:
    """A user, and the namespace of the cluster that they have to themselves; `name` is how the cluster is called."""

    user: User
    kubeconfig: str
    registry: str
    namespace: str
    name: str

    def kubectl(self, *arguments: str) -> str:
        """Type a kubectl command by way of trialflow's: what it prints."""
        code, out, said = self.user.type("cluster", "kubectl", "--", *arguments)
        assert code == 0, said
        return out

    def administer(self, *arguments: str) -> str:
        """Call kubectl as the cluster's administrator, whatever stands between trialflow and the cluster: what it prints."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    def write(self, *, budget: int, seconds: float, bandwidth: int = 4, model: str = MODEL, **run: Any) -> None:
        """Write the files of a model that is a shell command in an image that exists; `run` are more fields of run.yml."""
        experiment = (
            EXPERIMENT.replace("NAME", self.namespace)
            .replace("BUDGET", str(budget))
            .replace("parallel_bandwidth: 4", f"parallel_bandwidth: {bandwidth}")
        )
        (self.user.folder / "experiment.yml").write_text(experiment)
        image = f"{self.registry}/python:3.11-slim"
        fields = {"run": model.replace("SECONDS", str(seconds)), "image": image, "metrics": {"y": "y=(.*)"}, **run}
        (self.user.folder / "run.yml").write_text(json.dumps(fields))

    def pods(self) -> list[dict]:
        """The pods of training runs that are there."""
        return json.loads(self.administer("get", "pods", "-o", "json"))["items"]

    def wait_for_pods(self, process: subprocess.Popen[str], count: int, *, seconds: float = 120) -> list[dict]:
        """The pods, once `count` of them run."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and process.poll() is None:
            running = [pod for pod in self.pods() if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]]
            if len(running) >= count:
                return running
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{count} pods never ran at once: {process.communicate(timeout=60) if process.poll() is not None else 'it goes on'}")

    def left(self) -> list[str]:
        """What is on the cluster of any experiment."""
        chosen = "app.kubernetes.io/managed-by=trialflow,trialflow.dev/work"
        return self.administer("get", "jobs,pods,configmaps,secrets", "-l", chosen, "-o", "name").split()

    def observations(self, experiment: str) -> int:
        """How many observations the service has of an experiment."""
        with lease(service_server(Home(self.user.home))) as service:
            driver = RequestDriver(client_token=Home(self.user.home).token(), api_url=service.url)
            return driver.request("GET", ["experiments", experiment, "observations"], {}, None)["count"]  # type: ignore[index]

    def assert_whole(self, summary: dict, budget: int) -> None:
        """Every unit of budget was spent once, the best is the best, and nothing is left on the cluster."""
        assert summary["done"] == budget and summary["failed"] == 0
        assert self.observations(summary["experiment"]) == budget
        code, out, said = self.user.type("experiment", "export", summary["experiment"], "-o", "json")
        assert code == 0, said
        runs = json.loads(out)
        runs = runs if isinstance(runs, list) else runs["training_runs"]
        assert len(runs) == budget and {run["state"] for run in runs} == {"completed"}
        assert len({json.dumps(run["assignments"]) for run in runs}) == budget
        assert summary["best"][0]["values"]["y"] == max(run["values"]["y"] for run in runs)
        assert self.left() == []


@contextmanager
def connected(user: User, reached_by: str | None = None) -> Iterator[Tenant]:
    """Connect the cluster, in a new namespace, for as long as it is used; with another kubeconfig that reaches it, if given."""
    kubeconfig, registry = given.kubeconfig(), given.registry()
    name = f"e2e-{secrets.token_hex(3)}"
    tenant = Tenant(user, kubeconfig, registry, f"trialflow-e2e-{secrets.token_hex(4)}", name)
    code, _, said = user.type(
        "cluster", "connect", "-n", name, "--provider", "custom", "--kubeconfig", reached_by or kubeconfig,
        "--registry", f"{registry}/e2e", "--namespace", tenant.namespace,
    )  # fmt: skip
    assert code == 0, said
    try:
        yield tenant
    finally:
        delete_namespace(kubeconfig, tenant.namespace)
        user.type("cluster", "disconnect", name)


class Tenancy:
    """A connected cluster that the next test takes over if the one before left it as it was: connecting takes seconds."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        self._held = ExitStack()
        self._tenant: Tenant | None = None
        self._before: tuple[Any, ...] = ()

    @contextmanager
    def taken(self, user: User) -> Iterator[Tenant]:
        """The tenant that `user` is."""
        if self._tenant is None:
            self._tenant = self._held.enter_context(connected(self.owner))
            self._before = self._facts(self._tenant)
        try:
            yield replace(self._tenant, user=user)
        finally:
            if self._facts(self._tenant) != self._before:
                self.end()

    def end(self) -> None:
        """Disconnect."""
        self._tenant = None
        self._held.close()

    def _facts(self, tenant: Tenant) -> tuple[Any, ...]:
        saved = self.owner.home / "clusters"
        files = {path.name: path.read_bytes() for path in saved.iterdir()} if saved.is_dir() else {}
        return files, sorted(tenant.administer("get", KINDS, "-o", "name").split())


@pytest.fixture(scope="session")
def tenancy(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenancy]:
    tenancy = Tenancy(User(tmp_path_factory.mktemp("owner"), home))
    yield tenancy
    tenancy.end()


@pytest.fixture
def tenant(user: User, tenancy: Tenancy) -> Iterator[Tenant]:
    """A user with a connected cluster."""
    with tenancy.taken(user) as tenant:
        yield tenant


def finish(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str, str]:
    """Wait for a command: its exit code, what it printed, what it said."""
    out, said = process.communicate(timeout=seconds)
    return process.returncode, out, said
