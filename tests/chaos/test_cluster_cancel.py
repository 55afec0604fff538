"""A flow run that is cancelled from Prefect leaves nothing on the cluster, whoever executes it."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.clusters import Tenant, connected, finish
from tests.e2e.deployed import PREFECT, prefect
from tests.e2e.users import User
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
PATIENCE_SECONDS = 60


def test_a_command_whose_flow_run_is_cancelled_stops_in_order(tenant: Tenant) -> None:
    tenant.write(budget=4, seconds=60)
    process = tenant.user.start("cluster", "optimize", "--no-canary")
    assert process.stderr
    line = ""
    while "watch:" not in line:
        line = process.stderr.readline()
        assert line, "the command ended"
    tenant.wait_for_pods(process, 4)
    url, identifier = re.findall(r"(http\S+)/v2/runs/flow-run/(\S+)", line)[0]
    access = {"PREFECT_API_URL": f"{url}/api", "PREFECT_API_AUTH_STRING": prefect_auth(Home(tenant.user.home))}
    cancel({**tenant.user.environment, **access}, identifier)
    code, _, said = finish(process, PATIENCE_SECONDS)
    assert code == 130 and "nothing is lost" in said, said
    assert tenant.left() == []
    tenant.write(budget=4, seconds=0)
    code, out, said = finish(tenant.user.start("cluster", "optimize", "-o", "json"))
    assert code == 0, said
    tenant.assert_whole(json.loads(out), 4)


def test_a_deployed_flow_run_that_is_cancelled_leaves_nothing(deployed: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    owner = User(folder, Path(deployed["TRIALFLOW_HOME"]), {name: deployed[name] for name in ("PREFECT_API_URL", "PREFECT_HOME")})
    with connected(owner) as tenant:
        tenant.write(budget=4, seconds=60)
        experiment = yaml.safe_load((folder / "experiment.yml").read_text())
        where = ["-p", f"directory={folder}", "-p", f"run={(folder / 'run.yml').read_text()}", "-p", f"cluster={json.dumps({'name': tenant.name})}"]
        said = prefect(deployed, "deployment", "run", "optimize/optimize", "-p", f"experiment={json.dumps(experiment)}", *where)
        identifier = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", said)[0]
        until = time.monotonic() + PATIENCE_SECONDS
        while len([pod for pod in tenant.pods() if pod["status"].get("phase") == "Running"]) < 1:
            assert time.monotonic() < until, "no pod ran"
        cancel(deployed, identifier)
        until = time.monotonic() + PATIENCE_SECONDS
        while tenant.left() and time.monotonic() < until:
            time.sleep(0.2)
        assert tenant.left() == []
        assert "CANCELLED" in prefect(deployed, "flow-run", "inspect", identifier).upper()


def cancel(variables: dict[str, str], identifier: str) -> None:
    """What a user types."""
    done = subprocess.run([PREFECT, "flow-run", "cancel", identifier], env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
