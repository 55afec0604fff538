"""The flows on a plain Prefect server: deployed by prefect.yaml, triggered by hand, executed by a process worker."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.deployed import ROOT
from tests.service.conftest import start

pytestmark = pytest.mark.slow
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
