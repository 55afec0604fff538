"""A user with a connected cluster, in a namespace of their own, and what has to be true of it in the end."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import User

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
MODEL = "sleep SECONDS; echo y=$TRIALFLOW_PARAM_X"


@dataclass
class Tenant:
    """A user, and the namespace of the cluster that they have to themselves."""

    user: User
    kubeconfig: str
    registry: str
    namespace: str

    def kubectl(self, *arguments: str) -> str:
        """Type a kubectl command by way of trialflow's: what it prints."""
        code, out, said = self.user.type("cluster", "kubectl", "--", *arguments)
        assert code == 0, said
        return out

    def write(self, *, budget: int, seconds: float, bandwidth: int = 4) -> None:
        """Write the files of a model that is a shell command in an image that exists."""
        experiment = (
            EXPERIMENT.replace("NAME", self.namespace)
            .replace("BUDGET", str(budget))
            .replace("parallel_bandwidth: 4", f"parallel_bandwidth: {bandwidth}")
        )
        (self.user.folder / "experiment.yml").write_text(experiment)
        run = {"run": MODEL.replace("SECONDS", str(seconds)), "image": f"{self.registry}/python:3.11-slim", "metrics": {"y": "y=(.*)"}}
        (self.user.folder / "run.yml").write_text(json.dumps(run))

    def pods(self) -> list[dict]:
        """The pods of training runs that are there."""
        return json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]

    def assert_whole(self, summary: dict, budget: int) -> None:
        """Every unit of budget was spent once, the best is the best, and nothing is left on the cluster."""
        assert summary["done"] == budget and summary["failed"] == 0
        code, out, said = self.user.type("experiment", "export", summary["experiment"], "-o", "json")
        assert code == 0, said
        runs = json.loads(out)
        runs = runs if isinstance(runs, list) else runs["training_runs"]
        assert len(runs) == budget and {run["state"] for run in runs} == {"completed"}
        assert len({json.dumps(run["assignments"]) for run in runs}) == budget
        assert summary["best"][0]["values"]["y"] == max(run["values"]["y"] for run in runs)
        left = self.kubectl("get", "jobs,pods,configmaps,secrets", "-l", "app.kubernetes.io/managed-by=trialflow,trialflow.dev/work", "-o", "name")
        assert left.strip() == ""


@pytest.fixture
def tenant(user: User) -> Iterator[Tenant]:
    """A user with a connected cluster."""
    kubeconfig, registry = os.environ.get("TRIALFLOW_TEST_KUBECONFIG"), os.environ.get("TRIALFLOW_TEST_REGISTRY")
    if not kubeconfig or not registry:
        pytest.skip("TRIALFLOW_TEST_KUBECONFIG and TRIALFLOW_TEST_REGISTRY name no cluster and no registry to test on")
    tenant = Tenant(user, kubeconfig, registry, f"trialflow-e2e-{secrets.token_hex(4)}")
    name = f"e2e-{secrets.token_hex(3)}"
    code, _, said = user.type(
        "cluster", "connect", "-n", name, "--provider", "custom", "--kubeconfig", kubeconfig,
        "--registry", f"{registry}/e2e", "--namespace", tenant.namespace,
    )  # fmt: skip
    assert code == 0, said
    yield tenant
    from tests.e2e.namespaces import delete_namespace

    delete_namespace(kubeconfig, tenant.namespace)
    user.type("cluster", "disconnect", name)


def finish(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str, str]:
    """Wait for a command: its exit code, what it printed, what it said."""
    out, said = process.communicate(timeout=seconds)
    return process.returncode, out, said
