"""kill -9 of the flow, of the service, of everything, at random moments; then the same command. Nothing is lost and nothing is done twice."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import line_of
from tests.service.conftest import Running, start
from trialflow.embedded import lease, prefect_server
from trialflow.home import Home

KINDS = ("flow", "service", "launcher", "everything")
KILLS = int(os.environ.get("TRIALFLOW_CHAOS_KILLS", "8"))
"""Every kind of kill twice; more for a longer siege by hand."""
BUDGET = 60
EXPERIMENT = f"""\
name: chaos
parameters:
  - {{name: n, type: int, bounds: {{min: 1, max: {BUDGET + 100}}}}}
metrics:
  - {{name: y, strategy: optimize, objective: maximize}}
type: random
parallel_bandwidth: 4
budget: {BUDGET}
"""
MODEL = """\
exec 9> "alive-$SIGOPT_RUN_ID"
flock -n 9 || echo "$SIGOPT_RUN_ID" >> doubled
echo half=$TRIALFLOW_PARAM_N
sleep 0.$(( (TRIALFLOW_PARAM_N % 6) + 2 ))
echo "y=$TRIALFLOW_PARAM_N"
"""


class Siege:
    """One experiment under attack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.random = random.Random(os.environ.get("TRIALFLOW_CHAOS_SEED", "1"))
        self.environment = {**os.environ, "TRIALFLOW_HOME": str(self.home.root), "SIGOPT_PROJECT": "chaos"}
        for name in ("PREFECT_API_URL", "SIGOPT_API_URL", "SIGOPT_API_TOKEN"):
            self.environment.pop(name, None)
        (folder / "experiment.yml").write_text(EXPERIMENT)
        (folder / "model.sh").write_text(MODEL)
        (folder / "run.yml").write_text("run: bash model.sh\nmetrics: {y: 'y=([0-9]+)', half: 'half=([0-9]+)'}\nmax_relaunches: 1000\n")

    def command(self) -> subprocess.Popen:
        """The command, which is the same every time."""
        log = (self.folder / "command.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "trialflow", "optimize"], cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def processes(self) -> list[psutil.Process]:
        """Everything that belongs to this home: the command, the servers and their hosts, launchers and models."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environment = process.environ()
                if str(self.home.root) in environment.get("TRIALFLOW_HOME", "") or str(self.home.root) in line_of(process.pid):
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def strike(self, what: str, command: subprocess.Popen) -> bool:
        """Kill a process of a kind, or all of them. False if there was none."""
        words = {"service": "trialflow.embedded.serving service", "launcher": "launch.py"}
        if what == "flow":
            found = [psutil.Process(command.pid)]
        else:
            found = [one for one in self.processes() if words.get(what, "") in line_of(one.pid)]
        if what == "launcher" and found:
            found = [self.random.choice(found)]
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return bool(found)


@pytest.mark.slow
def test_whatever_is_killed_the_same_command_ends_the_experiment_exactly(tmp_path: Path, migrated: Callable[[Path], Path]) -> None:
    siege = Siege(tmp_path)
    migrated(siege.home.make(siege.home.prefect))
    command, kills = siege.command(), []
    keep = None
    while len(kills) < KILLS:
        time.sleep(siege.random.uniform(0.2, 4.0))
        what = KINDS[len(kills) % len(KINDS)]
        if command.poll() is None and siege.strike(what, command):
            kills.append(what)
            if what == "everything":
                keep = None
        if keep is None:  # a Prefect server that stays makes each round shorter
            keep = lease(prefect_server(siege.home))
        if command.poll() is not None:
            if command.returncode == 0:
                break
            time.sleep(siege.random.choice([0, 0, 1]))
            command = siege.command()
    while command.wait(300) != 0:
        command = siege.command()
    if keep is not None:
        keep.release()
    assert set(kills) == set(KINDS), f"over after these kills: {kills}"
    check(siege)


def check(siege: Siege) -> None:
    """The experiment is whole, and nothing is left behind."""
    assert not (siege.folder / "doubled").exists(), "a training run was executed twice at once"
    until = time.monotonic() + 30
    while (left := siege.processes()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left, left
    service = start(siege.home.root)
    try:
        check_service(service)
    finally:
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(10)


def check_service(service: Running) -> None:
    """Observations equal the budget, no assignment is there twice, each training run has its own metric, and the best is the best."""
    experiments = service.call("GET", "clients/1/projects/chaos/aiexperiments")["data"]
    assert len(experiments) == 1
    progress = experiments[0]["progress"]
    assert (progress["finished_run_count"], progress["active_run_count"], progress["remaining_budget"]) == (BUDGET, 0, 0)
    runs: list[dict[str, Any]] = service.call("GET", "clients/1/projects/chaos/training_runs")["data"]
    observations = service.call("GET", f"experiments/{experiments[0]['id']}/observations")
    assert len(runs) == observations["count"] == BUDGET
    assert {run["state"] for run in runs} == {"completed"}, [(run["id"], run["dev_metadata"]) for run in runs if run["state"] != "completed"]
    assert len({run["assignments"]["n"] for run in runs}) == BUDGET
    assert all(run["values"]["y"]["value"] == run["values"]["half"]["value"] == run["assignments"]["n"] for run in runs)
    (best,) = service.call("GET", f"aiexperiments/{experiments[0]['id']}/best_training_runs")["data"]
    assert best["values"]["y"]["value"] == max(run["values"]["y"]["value"] for run in runs)
