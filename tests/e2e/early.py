"""Somebody whose model logs checkpoints, some of them without prospects, and what has to be true of it in the end: here and on a cluster."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from sigopt.request_driver import RequestDriver

from tests.contract.training import SPEAKS
from tests.e2e.users import User
from trialflow.embedded import lease, service_server
from trialflow.home import Home

EXPERIMENT = """\
name: early
type: grid
parameters:
  - {name: x, type: int, grid: [0, 1, 2, 3, 4, 5]}
metrics:
  - {name: acc, strategy: optimize, objective: maximize}
  - {name: size, strategy: store}
parallel_bandwidth: 1
early_stopping: {rule: median, metric: acc, min_checkpoints: 2}
"""
ACCURACY = [0.9, 0.8, 0.7, 0.1, 0.95, 0.2]
"""Of each point, in the order in which they are suggested."""
STOPPED = {3, 5}
"""Those below the median of what was before them."""
MANY = 200
"""Checkpoints of those, as many as the service takes: none of them ends by itself before it was decided about, however busy the machine is."""
MODEL = f"""\
import os, signal, time, sigopt

def leave(*_):
    time.sleep(LEAVING)
    os._exit(0)

signal.signal(signal.SIGTERM, leave)
with open("started", "a") as file:
    file.write("%s\\n" % os.environ["SIGOPT_RUN_ID"])
accuracy = {ACCURACY}[int(sigopt.params.x)]
for n in range(CHECKPOINTS if accuracy > 0.5 else {MANY}):
    sigopt.log_checkpoint({{"acc": accuracy, "size": n}})
    time.sleep(SECONDS)
sigopt.log_metric("acc", accuracy)
sigopt.log_metric("size", 100)
"""
POD_MODEL = (
    SPEAKS
    + f"""
import signal, time

def leave(*_):
    time.sleep(LEAVING)
    os._exit(0)

signal.signal(signal.SIGTERM, leave)
accuracy = {ACCURACY}[int(os.environ["TRIALFLOW_PARAM_X"])]
for n in range(CHECKPOINTS if accuracy > 0.5 else {MANY}):
    values = {{"acc": accuracy, "size": n}}
    say("POST", {{"values": [{{"name": name, "value": value}} for name, value in values.items()]}}, "/checkpoints")
    time.sleep(SECONDS)
say("MERGE", {{"values": {{"acc": {{"value": accuracy}}, "size": {{"value": 100}}}}}})
"""
)
"""The same without the client, for images that do not have it."""


class Author:
    """A user whose model logs checkpoints, and what the service has of it. With an `image` it is executed in pods of the cluster in use."""

    def __init__(self, user: User, image: str | None = None) -> None:
        self.user = user
        self.image = image
        self.project = f"early-{secrets.token_hex(4)}"
        self.command = ("cluster", "optimize", "-p", self.project) if image else ("optimize", "-p", self.project)

    def write(self, *, checkpoints: int = 10, seconds: float = 0.2, leaving: float = 0, experiment: str = EXPERIMENT) -> None:
        """Write the files; `seconds` lie between two checkpoints, and it takes `leaving` seconds to end when it is asked to."""
        self.user.write("", experiment=experiment)
        model = POD_MODEL if self.image else MODEL
        model = model.replace("CHECKPOINTS", str(checkpoints)).replace("SECONDS", str(seconds)).replace("LEAVING", str(leaving))
        (self.user.folder / "model.py").write_text(model)
        run = {"run": ["python3", "-c", model], "image": self.image} if self.image else {"run": [sys.executable, "model.py"]}
        (self.user.folder / "run.yml").write_text(json.dumps(run))

    def started(self) -> list[str]:
        """The training runs that were started here, one for each time."""
        file = self.user.folder / "started"
        return file.read_text().split() if file.exists() else []

    def start(self) -> subprocess.Popen[str]:
        """Work on the experiment."""
        return self.user.start(*self.command)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the service."""
        home = Home(self.user.home)
        with lease(service_server(home)) as service:
            return RequestDriver(client_token=home.token(), api_url=service.url).request(method, path.split("/"), body or {}, None)

    def runs(self) -> list[dict[str, Any]]:
        """The training runs as the API has them, oldest first; none before there is a project."""
        if self.project not in [one["id"] for one in self.call("GET", "clients/1/projects")["data"]]:
            return []
        return list(reversed(self.call("GET", f"clients/1/projects/{self.project}/training_runs")["data"]))

    def wait_for(self, process: subprocess.Popen[str], fact: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first training run of which `fact` is true, once there is one."""
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            if found := [run for run in self.runs() if fact(run)]:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(process.communicate(timeout=5) if process.poll() is not None else self.runs())

    def finish(self) -> tuple[dict[str, Any], str]:
        """Work on the experiment to its end: its summary, and what was said."""
        process = self.user.start(*self.command, "-o", "json")
        out, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return json.loads(out), said

    def assert_whole(self, stopped: set[int] = STOPPED) -> None:
        """Every point was executed once, and those without prospects have the values of their last checkpoint."""
        runs = self.runs()
        assert len(runs) == 6 and {run["state"] for run in runs} == {"completed"}
        if not self.image:
            assert sorted(self.started()) == sorted(run["id"] for run in runs), "a training run was launched twice"
        assert not any(run["dev_metadata"].get("trialflow_attempt") for run in runs), "a training run had a second attempt"
        assert {run["assignments"]["x"] for run in runs if run["dev_metadata"].get("trialflow_stopped_early")} == stopped
        for run in runs:
            assert run["values"]["acc"]["value"] == ACCURACY[run["assignments"]["x"]]
            assert (run["values"]["size"]["value"] != 100) is (run["assignments"]["x"] in stopped)
        observations = self.call("GET", f"experiments/{runs[0]['experiment']}/observations")
        assert observations["count"] == 6 and not any(one["failed"] for one in observations["data"])


def is_decided(run: dict[str, Any]) -> bool:
    """Whether it was decided to stop a training run early, and it has not ended yet."""
    return run["state"] == "active" and bool(run["dev_metadata"].get("trialflow_stopped_early"))
