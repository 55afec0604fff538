"""The flows on a plain Prefect server: deployed by prefect.yaml, triggered by `prefect deployment run`, executed by a process worker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.deployed import PREFECT, ROOT, prefect
from tests.service.conftest import start

EXPERIMENT = {
    "name": "deployed",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "y"}],
    "parallel_bandwidth": 2,
    "budget": 4,
}


@pytest.mark.slow
def test_an_experiment_and_a_training_run_are_triggered_on_a_plain_prefect_server(deployed: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for hidden in ("flows", "tasks"):  # folders of the user's that are called like ours
        (model / hidden).mkdir()
        (model / hidden / "__init__.py").write_text("")
    (model / "model.sh").write_text('echo "y=$TRIALFLOW_PARAM_X"\n')
    run = {"run": "sh model.sh", "metrics": {"y": "y=(.*)"}}
    (model / "experiment.yml").write_text(json.dumps(EXPERIMENT))
    (model / "run.yml").write_text(json.dumps(run))
    parameters = subprocess.run([sys.executable, "-m", "deployments.parameters", model], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    prefect(deployed, "deployment", "run", "optimize/optimize", "--params", "-", "--watch", stdin=parameters)
    where = ["-p", f"directory={model}", "-p", f"run={json.dumps(run)}", "--watch"]
    prefect(deployed, "deployment", "run", "training-run/training-run", "-p", 'assignments={"x": 0.5}', *where)

    service = start(Path(deployed["TRIALFLOW_HOME"]))
    try:
        (experiment,) = service.call("GET", "clients/1/projects/model/aiexperiments")["data"]
        assert experiment["progress"]["finished_run_count"] == 4 and experiment["progress"]["active_run_count"] == 0
        runs = service.call("GET", "clients/1/projects/model/training_runs")["data"]
        assert len(runs) == 5 and {one["state"] for one in runs} == {"completed"}
        (single,) = [one for one in runs if one["experiment"] is None]
        assert single["values"]["y"]["value"] == 0.5
    finally:
        service.process.terminate()
        service.process.wait(10)


@pytest.mark.slow
def test_the_server_refuses_bad_parameters_before_anything_runs(deployed: dict[str, str]) -> None:
    bad = json.dumps({**EXPERIMENT, "budget": 0})
    command = [PREFECT, "deployment", "run", "optimize/optimize", "-p", f"experiment={bad}", "-p", 'run={"run": "true"}']
    done = subprocess.run(command, env=deployed, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode != 0 and "budget" in done.stdout + done.stderr
