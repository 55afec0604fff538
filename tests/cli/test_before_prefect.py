"""Prefect reads its variables when it is imported, so no command may import it before a session has set them."""

import subprocess
import sys
from pathlib import Path

import pytest

STOP = """
import sys
import trialflow.api.session
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.cluster.saved import Clusters
from trialflow.cli.main import call
from trialflow.home import Home

def stop():
    sys.exit(40 + len({"prefect", "numpy", "fastapi"} & set(sys.modules)))

trialflow.api.session.flow_session = stop
Clusters(Home.from_environment()).save(Cluster("mine", kubeconfig={"clusters": [], "contexts": [], "users": []}))
sys.exit(call(sys.argv[1:]))
"""
RUN = """
run: sh model.sh
image: registry.example.com/model:1
aws: {aws_access_key_id: AKIAIOSFODNN7EXAMPLE, aws_secret_access_key: wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY}
"""


COMMANDS = (
    "run",
    "run -s model.sh echo",
    "optimize",
    "cluster run",
    "cluster test-run",
    "cluster optimize",
    "schedule add --cron=@daily -r plain.yml",
    "schedule add --cron=@daily -r plain.yml -n mine --here",
    "schedule list --here",
    "schedule run e",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_up_to_the_session_nothing_imports_prefect(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.sh").touch()
    (tmp_path / "run.yml").write_text(RUN)
    (tmp_path / "plain.yml").write_text(RUN.partition("aws:")[0])
    (tmp_path / "experiment.yml").write_text("name: e\nparameters: [{name: x, type: int, grid: [1, 2]}]\nmetrics: [{name: y}]\nbudget: 2\n")
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    for name in ("SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", STOP, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 40, done.stdout + done.stderr
