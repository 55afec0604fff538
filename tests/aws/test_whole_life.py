"""The whole life of a cluster, by the command line and by deployments, from nothing to nothing. Its Kubernetes and its registry are real ones."""

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.aws.inventory import leftovers, read_inventory
from tasks.aws.manifests import manifests
from tasks.aws.repositories import list_repositories
from tasks.aws.session import Aws
from tests import given
from tests.aws import eks_calls
from tests.aws.sign_in import Reviews
from tests.aws.stand import Stand
from tests.e2e.deployed import prefect
from tests.e2e.namespaces import delete_namespace
from tests.e2e.users import User
from tests.waiting import free_port
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

TOKEN_SECONDS = 30
RUNS, RUN_SECONDS = 4, 12
EXPERIMENT = f"""\
name: on aws
parameters:
  - {{name: x, type: double, bounds: {{min: 0, max: 1}}}}
metrics:
  - {{name: y, strategy: optimize, objective: maximize}}
type: random
budget: {RUNS}
"""
DOCKERFILE = """\
FROM python:3.11-slim
COPY model.sh /
CMD ["sh", "/model.sh"]
"""
MODEL = f'sleep {RUN_SECONDS}; echo "y=$TRIALFLOW_PARAM_X"\n'
CLUSTER = """\
provider: aws
cluster_name: NAME
namespace: NAMESPACE
cpu: {instance_type: m5.large, min_nodes: 0, max_nodes: 2}
"""
pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"trialflow-aws-{secrets.token_hex(4)}"
    yield name
    delete_namespace(given.kubeconfig(), name)
    for one in manifests("x", "x", "1.34", has_gpus=False):
        where = ["--namespace", one["metadata"].get("namespace", "default")]
        command = ["kubectl", "--kubeconfig", given.kubeconfig(), *where, "delete", one["kind"], one["metadata"]["name"], "--ignore-not-found"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture
def reviews(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reviews]:
    monkeypatch.setenv("TRIALFLOW_TEST_KUBECONFIG", given.kubeconfig())
    monkeypatch.setenv("TRIALFLOW_TEST_REGISTRY", given.registry())
    # What the product waits for here is not the stand.
    monkeypatch.setattr(eks_calls, "LOOKS", 1)
    answering = Reviews(stand.url)
    answering.seconds = TOKEN_SECONDS
    yield answering
    answering.close()


def type_(user: User, *arguments: str, seconds: float = 600) -> tuple[int, str, str]:
    process = user.start(*arguments)
    try:
        out, said = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, said


def test_a_cluster_is_made_used_and_destroyed(stand: Stand, reviews: Reviews, aws: Aws, user: User, namespace: str) -> None:
    name = f"life-{secrets.token_hex(3)}"
    files = {"model.sh": MODEL, "Dockerfile": DOCKERFILE, "experiment.yml": EXPERIMENT, "run.yml": "metrics: {y: 'y=(.*)'}\n"}
    files["cluster.yml"] = CLUSTER.replace("NAMESPACE", namespace).replace("NAME", name)
    for file, text in files.items():
        (Path(user.folder) / file).write_text(text)

    code, _, said = type_(user, "cluster", "create", "--yes")
    assert code == 0, said
    assert f"connected cluster {name}; it is the current one" in said
    assert json.loads(type_(user, "cluster", "list", "-o", "json")[1])[0]["registry"] == f"{given.registry()}/trialflow/{name}"

    begun, asked = time.monotonic(), reviews.asked
    code, out, said = type_(user, "cluster", "optimize", "-o", "json")
    assert code == 0, said
    summary = json.loads(out)
    assert (summary["done"], summary["failed"], summary["lost"]) == (RUNS, 0, 0), said
    assert time.monotonic() - begun > TOKEN_SECONDS and reviews.asked - asked > 2
    (repository,) = list_repositories(aws, name)
    assert repository.startswith(f"trialflow/{name}/")

    code, out, said = type_(user, "cluster", "destroy", "-n", name, "--yes")
    assert code == 0, said
    assert "0 resources" in said and leftovers(aws, name) == [] and not list_repositories(aws, name)
    assert name not in type_(user, "cluster", "list", "-o", "name")[1]


def test_the_same_by_deployments(stand: Stand, reviews: Reviews, aws: Aws, tmp_path: Path, namespace: str, migrated: Callable[[Path], Path]) -> None:
    user, name = User(tmp_path, tmp_path / "home"), f"life-{secrets.token_hex(3)}"
    migrated(user.home / "prefect")
    port = free_port()
    config = {"provider": "aws", "cluster_name": name, "namespace": namespace}
    cpu = {"instance_type": "m5.large", "min_nodes": 0, "max_nodes": 2}
    code, _, said = type_(user, "up", "--detach", "--port", str(port))
    assert code == 0, said
    try:
        login = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": prefect_auth(Home(user.home))}
        for deployment, parameters in (
            ("cluster-create", {"config": {**config, "cpu": cpu}}),
            ("cluster-test", {"cluster": name}),
            ("cluster-update", {"config": {**config, "cpu": {**cpu, "max_nodes": 3}}}),
            ("cluster-update", {"config": {**config, "cpu": {**cpu, "max_nodes": 3}}}),
        ):
            prefect({**user.environment, **login}, "deployment", "run", f"{deployment}/{deployment}", "--watch", "--params", json.dumps(parameters))
        sizes = [group["scalingConfig"]["maxSize"] for key, group in (read_inventory(aws, name).groups or {}).items() if key.startswith("cpu-")]
        assert sizes == [3]
        for _ in range(2):
            destroyed = ("deployment", "run", "cluster-destroy/cluster-destroy", "--watch", "--params", json.dumps({"cluster_name": name}))
            prefect({**user.environment, **login}, *destroyed)
        assert leftovers(aws, name) == []
    finally:
        type_(user, "down")
