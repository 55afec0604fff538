"""The flows on a plain Prefect server: deployed by prefect.yaml, triggered by `prefect deployment run`, executed by a process worker."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.conftest import start

ROOT = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
EXPERIMENT = {
    "name": "deployed",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "y"}],
    "parallel_bandwidth": 2,
    "budget": 4,
}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Prefect server of its own, without anything of trialflow's, and a worker of the pool that prefect.yaml names."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SIGOPT_"))}
    variables |= {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "TRIALFLOW_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = (tmp_path / "server.log").open("wb")
    command = [PREFECT, "server", "start", "--port", str(port)]
    server = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    worker = None
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        prefect(variables, "work-pool", "create", "trialflow", "--type", "process")
        prefect(variables, "--no-prompt", "deploy", "--all")
        log = (tmp_path / "worker.log").open("wb")
        command = [PREFECT, "worker", "start", "--pool", "trialflow"]
        worker = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=tmp_path)
        yield variables
    finally:
        for process in (worker, server):
            if process is not None:
                end(process)


def end(process: subprocess.Popen) -> None:
    """End a process, by force if it takes its time: what was asked of it is done."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(address: str) -> None:
    until = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def prefect(variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([PREFECT, *arguments], env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_experiment_and_a_training_run_are_triggered_on_a_plain_prefect_server(environment: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for hidden in ("flows", "tasks"):  # folders of the user's that are called like ours
        (model / hidden).mkdir()
        (model / hidden / "__init__.py").write_text("")
    (model / "model.sh").write_text('echo "y=$TRIALFLOW_PARAM_X"\n')
    run = {"run": "sh model.sh", "metrics": {"y": "y=(.*)"}}
    where = ["-p", f"directory={model}", "-p", f"run={json.dumps(run)}", "--watch"]
    prefect(environment, "deployment", "run", "optimize/optimize", "-p", f"experiment={json.dumps(EXPERIMENT)}", *where)
    prefect(environment, "deployment", "run", "training-run/training-run", "-p", 'assignments={"x": 0.5}', *where)

    service = start(tmp_path / "home")
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
def test_the_server_refuses_bad_parameters_before_anything_runs(environment: dict[str, str]) -> None:
    bad = json.dumps({**EXPERIMENT, "budget": 0})
    command = [PREFECT, "deployment", "run", "optimize/optimize", "-p", f"experiment={bad}", "-p", 'run={"run": "true"}']
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode != 0 and "budget" in done.stdout + done.stderr
