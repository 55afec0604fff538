"""The Role that `install-plugins` makes is enough for everything, for a person with a token as for a pod with that service account."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tasks.images import own
from tasks.images.own_dockerfile import dockerfile
from tests.contract.images import made_image
from tests.e2e.clusters import Tenant
from tests.e2e.network import forwarded
from tests.e2e.reconnecting import admin, connect, token_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ACCOUNT = "trialflow-flows"


def test_a_person_with_this_role_can_do_everything(tenant: Tenant) -> None:
    said = connect(tenant, token=token_of(tenant, ACCOUNT), install=True)
    assert "ServiceAccount trialflow-model: was there" in said and "Role trialflow-flows: not allowed" in said
    user = tenant.user
    code, out, said = user.type("cluster", "test")
    assert code == 0, out + said

    tenant.write(budget=3, seconds=0)
    code, out, said = user.type("cluster", "optimize", "-o", "json")
    assert code == 0, said
    tenant.assert_whole(json.loads(out), 3)
    code, out, said = user.type("logs", json.loads(out)["best"][0]["id"])
    assert code == 0 and "y=" in out, said

    tenant.write(budget=4, seconds=60)
    process = user.start("cluster", "optimize", "--no-canary", "--new")
    experiment = tenant.wait_for_pods(process, 4)[0]["metadata"]["labels"]["trialflow.dev/experiment"]
    for command in (["status"], ["status", f"experiment/{experiment}"]):
        code, out, said = user.type("cluster", *command)
        assert code == 0 and "running" in out.lower(), out + said
    code, _, said = user.type("cluster", "stop", "--yes", f"experiment/{experiment}")
    assert code == 0, said
    process.communicate(timeout=60)
    assert tenant.left() == []


def test_what_a_killed_training_run_left_is_cleaned_with_this_role(tenant: Tenant) -> None:
    connect(tenant, token=token_of(tenant, ACCOUNT))
    tenant.write(budget=1, seconds=0, aws={"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"})
    process = tenant.user.start("cluster", "run", "--", "sleep", "100")
    identifier = tenant.wait_for_pods(process, 1)[0]["metadata"]["labels"]["trialflow.dev/training-run"]
    process.kill()
    process.communicate()
    belongings = json.loads(admin(tenant, "get", "configmaps,secrets", "-l", "trialflow.dev/work", "-o", "json"))
    code, _, said = tenant.user.type("cluster", "stop", "--yes", f"run/{identifier}")
    assert code == 0 and tenant.left() == [], said
    for one in belongings["items"]:
        del one["metadata"]["resourceVersion"], one["metadata"]["uid"]
    admin(tenant, "create", "-f", "-", stdin=json.dumps(belongings))  # as somebody leaves them who is killed in the last moment
    assert sorted(re.sub("/.*", "", one) for one in tenant.left()) == ["configmap", "secret"]
    code, out, said = tenant.user.type("cluster", "clean", "--yes")
    assert code == 0, out + said
    assert tenant.left() == []


@pytest.fixture(scope="module")
def trialflow_image() -> str:
    """An image with trialflow installed: the one that a server in the cluster is made of."""
    return made_image("inside", dockerfile(own.WHEEL), own.write_context)


class Inside:
    """A pod with the service account of flows and no kubeconfig, in which somebody types commands."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def type(self, *command: str, stdin: str | None = None) -> tuple[int, str, str]:
        """Type a command: its exit code, what it prints on stdout, and what it says on stderr."""
        tenant = self.tenant
        words = ["kubectl", "--kubeconfig", tenant.kubeconfig, "-n", tenant.namespace, "exec", "-i", "inside", "--", *command]
        done = subprocess.run(words, capture_output=True, text=True, input=stdin, timeout=120)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def inside(tenant: Tenant, trialflow_image: str) -> Iterator[Inside]:
    with forwarded(tenant) as (host, port):
        environment = {"TRIALFLOW_HOME": "/tmp/home", "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        container = {
            "name": "inside",
            "image": trialflow_image,
            "command": ["sleep", "1000"],
            "workingDir": "/tmp",
            "resources": {"requests": {"cpu": "500m"}},  # without, whatever else runs on the machine comes first
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        spec = {
            "serviceAccountName": ACCOUNT,
            "restartPolicy": "Never",
            "containers": [container],
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "inside"}, "spec": spec}
        admin(tenant, "create", "-f", "-", stdin=json.dumps(pod))
        admin(tenant, "wait", "--for=condition=Ready", "pod/inside", "--timeout=110s")
        yield Inside(tenant)


def test_from_inside_a_pod_with_this_account_all_but_building_works(inside: Inside) -> None:
    tenant = inside.tenant
    code, _, said = inside.type("trialflow", "cluster", "connect", "-n", "mine", "--registry", f"{tenant.registry}/e2e")
    assert code == 0 and "ServiceAccount trialflow-model: was there" in said, said
    code, out, said = inside.type("trialflow", "doctor")
    assert code == 0 and "only needed to build images" in out and "mine: Kubernetes" in out, out + said

    tenant.write(budget=3, seconds=0)
    for name in ("experiment.yml", "run.yml"):
        inside.type("sh", "-c", f"cat > {name}", stdin=(tenant.user.folder / name).read_text())
    code, out, said = inside.type("trialflow", "cluster", "optimize", "-o", "json")
    assert code == 0 and json.loads(out)["done"] == 3, said
    code, out, said = inside.type("trialflow", "cluster", "status")
    assert code == 0, out + said
    assert tenant.left() == []

    inside.type("sh", "-c", "echo 'run: echo y=1' > run.yml; printf 'FROM scratch\\nCOPY run.yml /\\n' > Dockerfile")
    code, _, said = inside.type("trialflow", "cluster", "optimize")
    assert code in (1, 2) and "error: " in said and "hint: " in said and "Traceback" not in said, said
