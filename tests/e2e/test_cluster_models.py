"""What models on a cluster get and may: keys that nobody else sees, no way out of their pods, or one to the service where pods reach it."""

import json
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.contract.images import client_image, made_image
from tests.e2e.clusters import Tenant, connected, finish
from tests.e2e.network import address_for_pods, denied_egress
from tests.e2e.reconnecting import admin, connect
from tests.e2e.users import User
from trialflow.embedded import lease, prefect_server
from trialflow.home import Home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SHOWS_KEYS = 'sleep 5; printf "keys "; printf %s "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" | sha256sum; echo y=$TRIALFLOW_PARAM_X'
LOOKS_OUT = """
import os, socket, sigopt
try:
    socket.create_connection((os.environ["TO_HOST"], int(os.environ["TO_PORT"])), 3).close()
    reached = 1
except OSError:
    reached = 0
sigopt.log_metric("reached", reached)
sigopt.log_metric("y", sigopt.get_parameter("x"))
"""
ASKS = """
import json, os, urllib.request, sigopt
from base64 import b64encode
request = urllib.request.Request(os.environ["SIGOPT_API_URL"] + "/v1/experiments/" + os.environ["TRIALFLOW_EXPERIMENT_ID"])
request.add_header("Authorization", "Basic " + b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode())
sigopt.log_metric("y", json.load(urllib.request.urlopen(request))["budget"])
"""
SPEAKS_HTTP = r"""
place=${SIGOPT_API_URL#http://}
body="{\"values\": {\"y\": {\"value\": 7}}}"
token=$(printf %s: "$SIGOPT_API_TOKEN" | base64 -w0)
exec 3<>/dev/tcp/${place%%:*}/${place##*:}
printf 'MERGE /v1/training_runs/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\n' "$SIGOPT_RUN_ID" "$place" "$token" >&3
printf 'Content-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#body}" "$body" >&3
read -r answer <&3
echo "$answer"
"""
MERGES = r"""
import os, urllib.request
from base64 import b64encode
url = os.environ["SIGOPT_API_URL"] + "/v1/training_runs/" + os.environ["SIGOPT_RUN_ID"]
headers = {"Content-Type": "application/json", "Authorization": "Basic " + b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode()}
urllib.request.urlopen(urllib.request.Request(url, b'{"values": {"y": {"value": 9}}}', headers, method="MERGE"))
"""
WITHOUT_SHELL = """\
FROM python:3.11-slim
RUN cp -L $(command -v python3) /model && rm -rf /usr/bin/python* /usr/local/bin/python* && rm -f /bin/bash /bin/dash /bin/sh
ENTRYPOINT ["/model", "-c"]
"""
WITHOUT_PYTHON = "FROM python:3.11-slim\nRUN rm -rf /usr/bin/python* /usr/local/bin/python*\n"


def test_aws_keys_reach_the_models_of_their_experiment_and_nobody_else(tenant: Tenant) -> None:
    identifier, key = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    aws = {"aws_access_key_id": identifier, "aws_secret_access_key": key}
    tenant.write(budget=2, seconds=0, bandwidth=2, model=SHOWS_KEYS, aws=aws)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    tenant.wait_for_pods(process, 2)
    shown = admin(tenant, "get", "jobs,pods,configmaps,events", "-o", "json")
    owned = json.loads(admin(tenant, "get", "secrets", "-l", "trialflow.dev/work", "-o", "json"))["items"]
    code, out, said = finish(process)
    assert code == 0, said
    assert not [word for word in (identifier, key) if word in shown + out + said]
    assert [set(one["data"]) for one in owned] == [{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}]
    assert tenant.left() == [] and key not in admin(tenant, "get", "secrets", "-o", "json")

    code, logs, said = tenant.user.type("logs", json.loads(out)["best"][0]["id"])
    assert code == 0 and f"keys {sha256(f'{identifier}:{key}'.encode()).hexdigest()}" in logs, said
    kept = [path for path in tenant.user.home.rglob("*") if path.is_file() and {identifier, key} & words_of(path)]
    assert kept == []  # no log, no database of the service or of Prefect, no block, no flow's parameters

    tenant.write(budget=1, seconds=0)
    code, out, said = tenant.user.type("cluster", "run", "--", "sh", "-c", 'echo "has ${AWS_SECRET_ACCESS_KEY:-none}"; echo y=1')
    assert code == 0 and "has none" in out, said


def words_of(path: Path) -> set[str]:
    """The words of a file that could be a key."""
    return set(re.findall(r"[A-Za-z0-9]{20,40}", path.read_bytes().decode("ascii", "replace")))


def test_with_every_egress_denied_a_model_of_the_client_still_reports(tenant: Tenant) -> None:
    address = address_for_pods(tenant.kubeconfig)
    with socket.create_server((address, 0)) as listener:
        environment = {"TO_HOST": address, "TO_PORT": str(listener.getsockname()[1])}
        tenant.write(budget=3, seconds=0, bandwidth=3, image=client_image(), env=environment, metrics={}, run=["python3", "-c", LOOKS_OUT])
        code, out, said = tenant.user.type("cluster", "optimize", "-o", "json")
        assert code == 0, said
        assert values_of(tenant, json.loads(out)["experiment"], "reached") == [1, 1, 1]  # or else the rule would prove nothing
        listener.settimeout(5)
        peers = {listener.accept()[1][0] for _ in range(3)}
        with denied_egress(tenant, peers):
            code, out, said = tenant.user.type("cluster", "optimize", "--new", "-o", "json")
    assert code == 0, said
    assert values_of(tenant, json.loads(out)["experiment"], "reached") == [0, 0, 0]
    tenant.assert_whole(json.loads(out), 3)


def values_of(tenant: Tenant, experiment: str, metric: str) -> list[float]:
    """What the training runs of an experiment logged."""
    code, out, said = tenant.user.type("experiment", "export", experiment, "-o", "json")
    assert code == 0, said
    runs = json.loads(out)
    return [run["values"][metric] for run in (runs if isinstance(runs, list) else runs["training_runs"])]


class TestWithApiUrl:
    """The service listens where pods reach it, and the cluster has its address as `api_url`."""

    @pytest.fixture(scope="class")
    def served(self, tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[Path], Path]) -> Iterator[Tenant]:
        """Somebody whose service listens there."""
        place = tmp_path_factory.mktemp("served")
        (place / "project").mkdir()
        user = User(place / "project", place / "home")
        migrated(user.home / "prefect")
        with lease(prefect_server(Home(user.home))), connected(user) as tenant:
            process = user.start("service", "--host", address_for_pods(tenant.kubeconfig), "--port", "0")
            assert process.stderr is not None
            found = re.search(r"serving at (http://\S+);", process.stderr.readline())
            try:
                assert found, "the service says where it listens"
                connect(tenant, "--api-url", found[1])
                yield tenant
            finally:
                process.terminate()
                process.communicate(timeout=30)

    def test_models_of_the_client_can_ask_the_service_for_more_than_their_training_run(self, served: Tenant) -> None:
        served.write(budget=2, seconds=0, image=client_image(), metrics={}, run=["python3", "-c", ASKS])
        code, out, said = served.user.type("cluster", "optimize", "--new", "-o", "json")
        assert code == 0, said
        assert values_of(served, json.loads(out)["experiment"], "y") == [2, 2] and served.left() == []

    def test_a_model_without_python_logs_by_http_alone(self, served: Tenant) -> None:
        image = made_image("without-python", WITHOUT_PYTHON)
        served.write(budget=2, seconds=0, image=image, metrics={}, run=["bash", "-c", SPEAKS_HTTP])
        code, out, said = served.user.type("cluster", "optimize", "--new", "-o", "json")
        assert code == 0, said
        assert values_of(served, json.loads(out)["experiment"], "y") == [7, 7] and served.left() == []

    def test_so_does_one_in_an_image_without_a_shell(self, served: Tenant) -> None:
        image = made_image("without-shell", WITHOUT_SHELL)
        served.write(budget=2, seconds=0, image=image, metrics={}, run=[MERGES])
        code, out, said = served.user.type("cluster", "optimize", "--new", "-o", "json")
        assert code == 0, said
        assert values_of(served, json.loads(out)["experiment"], "y") == [9, 9] and served.left() == []
