"""The flows on a plain Prefect server: deployed by prefect.yaml, triggered by hand and by schedules, executed by a process worker."""

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deployed import PREFECT, ROOT
from tests.service.conftest import start

pytestmark = pytest.mark.slow
INTERVAL_SECONDS = 10
PATIENCE_SECONDS = 240
EXPERIMENT = {
    "name": "deployed",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "y"}],
    "parallel_bandwidth": 2,
    "budget": 4,
}


def test_the_documents_commands_trigger_an_experiment_and_a_training_run_on_a_plain_prefect_server(deployed: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "my-project"
    model.mkdir()
    for hidden in ("flows", "tasks"):  # folders of the user's that are called like ours
        (model / hidden).mkdir()
        (model / hidden / "__init__.py").write_text("")
    (model / "model.py").write_text("import sigopt; sigopt.log_metric('y', sigopt.params.x)\n")
    (model / "experiment.yml").write_text(json.dumps(EXPERIMENT))
    (model / "run.yml").write_text(json.dumps({"run": "python model.py"}))
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "prefect.md").read_text(), re.DOTALL)
    (lines,) = [block.splitlines() for block in blocks if "deployments.parameters" in block]
    assert lines[0].startswith("export PREFECT_API_URL=") and len(lines) == 3
    for line in lines[1:]:
        command = line if "--watch" in line else f"{line} --watch"
        variables = {**deployed, "HOME": str(tmp_path)}
        done = subprocess.run(
            ["bash", "-ceo", "pipefail", command], env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr

    service = start(Path(deployed["TRIALFLOW_HOME"]))
    try:
        (experiment,) = service.call("GET", "clients/1/projects/my-project/aiexperiments")["data"]
        assert experiment["progress"]["finished_run_count"] == 4 and experiment["progress"]["active_run_count"] == 0
        runs = service.call("GET", "clients/1/projects/my-project/training_runs")["data"]
        assert len(runs) == 5 and {one["state"] for one in runs} == {"completed"}
        (single,) = [one for one in runs if one["experiment"] is None]
        assert single["values"]["y"]["value"] == 0.5
    finally:
        service.process.terminate()
        service.process.wait(10)


def test_the_server_refuses_bad_parameters_before_anything_runs(deployed: dict[str, str]) -> None:
    bad = json.dumps({**EXPERIMENT, "budget": 0})
    command = [PREFECT, "deployment", "run", "optimize/optimize", "-p", f"experiment={bad}", "-p", 'run={"run": "true"}']
    done = subprocess.run(command, env=deployed, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode != 0 and "budget" in done.stdout + done.stderr


def ask(variables: dict[str, str], path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(variables["PREFECT_API_URL"] + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or "null")


def test_a_schedule_fires_again_and_again(deployed: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    parameters = {"run": {"run": "echo y=1", "metrics": {"y": "y=(.*)"}}, "directory": str(model)}
    deployment = ask(deployed, "/deployments/name/training-run/training-run")["id"]
    ask(deployed, f"/deployments/{deployment}/schedules", [{"schedule": {"interval": INTERVAL_SECONDS}, "active": True, "parameters": parameters}])

    wanted = {"flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended: list[dict[str, Any]] = []
    while len(ended) < 2 and time.monotonic() < deadline:
        time.sleep(1)
        ended = [one for one in ask(deployed, "/flow_runs/filter", wanted) if one["auto_scheduled"]]  # others were triggered before
    assert len(ended) >= 2, "the schedule did not fire twice"
    assert {one["state"]["type"] for one in ended} == {"COMPLETED"}
