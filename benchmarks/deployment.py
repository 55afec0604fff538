"""A large experiment through a deployment: how far Prefect's server lags behind the work, what memory it takes, and what the work takes.

    python -m benchmarks.deployment [--runs 1000] [--bandwidth 50] [--seconds 20]

`trialflow up` in a home of its own, `trialflow optimize --detach` with a model that sleeps. Each second the service and Prefect's API are asked
how many training runs have ended. The lag is how long ago the service had as many as Prefect shows now. The yardstick for the work is
`runs * seconds / bandwidth`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from bisect import bisect_left
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from benchmarks.figures import table
from trialflow.embedded import standing
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

EXPERIMENT = """\
name: deployment
parameters:
  - {{name: x, type: double, bounds: {{min: 0, max: 1}}}}
metrics:
  - {{name: y, strategy: optimize, objective: maximize}}
type: random
parallel_bandwidth: {bandwidth}
budget: {runs}
"""
RUN = """\
run: sleep {seconds}; echo y=$TRIALFLOW_PARAM_X
metrics: {{y: 'y={{number}}'}}
"""
ENDED = {"task_runs": {"name": {"like_": "observe "}, "state": {"type": {"any_": ["COMPLETED"]}}}}
PATIENCE_SECONDS = 300.0
"""How long Prefect may need for the rest once the work is done."""


class Up:
    """Servers of a home of their own that are up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")

    def type(self, *arguments: str) -> str:
        """Type a command that has to succeed: what it prints."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SIGOPT_"))}
        environment["TRIALFLOW_HOME"] = str(self.home.root)
        done = subprocess.run([sys.executable, "-m", "trialflow", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"`trialflow {' '.join(arguments)}` ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def addresses(self) -> tuple[str, str]:
        """The addresses of Prefect's API and of the service."""
        facts = standing(self.home)
        assert facts is not None
        return facts.prefect_url, facts.service_url

    def shown(self) -> tuple[int, float]:
        """How many training runs have ended according to Prefect, and how many seconds its answer took."""
        begin = time.monotonic()
        login = b64encode(prefect_auth(self.home).encode()).decode()
        count = _ask(f"{self.addresses()[0]}/task_runs/count", f"Basic {login}", ENDED)
        return count, time.monotonic() - begin

    def ended(self) -> int:
        """How many training runs have ended according to the service, which has one experiment."""
        login = b64encode(f"{self.home.token()}:".encode()).decode()
        found = _ask(f"{self.addresses()[1]}/v1/aiexperiments", f"Basic {login}")["data"]
        return found[0]["progress"]["finished_run_count"] if found else 0

    def memory(self) -> float:
        """MB that the processes of Prefect's server take."""
        endpoint = json.loads((self.home.servers / "prefect" / "endpoint.json").read_text())
        return sum(psutil.Process(endpoint[key]).memory_info().rss for key in ("pid", "host_pid")) / 1e6


def _ask(address: str, authorization: str, body: Any = None) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    request = urllib.request.Request(address, None if body is None else json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


def lags(service: list[tuple[float, int]], prefect: list[tuple[float, int]]) -> list[float]:
    """For each time and count of Prefect, how long ago the service had that count; both are sorted."""
    counts = [count for _, count in service]
    found = []
    for moment, count in prefect:
        # The service goes on from this count at the next time it was asked; until then Prefect is not behind.
        place = bisect_left(counts, count + 1)
        found.append(max(0.0, moment - service[place][0]) if place < len(service) else 0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--bandwidth", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        up = Up(Path(folder))
        (up.folder / "experiment.yml").write_text(EXPERIMENT.format(runs=asked.runs, bandwidth=asked.bandwidth))
        (up.folder / "run.yml").write_text(RUN.format(seconds=asked.seconds))
        up.type("up", "--detach")
        try:
            watched = watch(up, asked.runs)
        finally:
            up.type("down")
    report(asked, *watched)


def watch(up: Up, runs: int) -> tuple[list[tuple[float, int]], list[tuple[float, int]], list[float], list[float]]:
    """What was seen each second: the service's and Prefect's counts with their times, MB of Prefect's server, and seconds of its answers."""
    up.type("optimize", "--detach", "--no-canary")
    service: list[tuple[float, int]] = []
    prefect: list[tuple[float, int]] = []
    memory: list[float] = []
    answers: list[float] = []
    until = None
    while until is None or (prefect[-1][1] < runs and time.monotonic() < until):
        service.append((time.monotonic(), up.ended()))
        count, seconds = up.shown()
        prefect.append((time.monotonic(), count))
        answers.append(seconds)
        memory.append(up.memory())
        if until is None and service[-1][1] >= runs:
            until = time.monotonic() + PATIENCE_SECONDS
        time.sleep(1)
    return service, prefect, memory, answers


def report(
    asked: argparse.Namespace, service: list[tuple[float, int]], prefect: list[tuple[float, int]], memory: list[float], answers: list[float]
) -> None:
    """Print what was seen."""
    behind = lags(service, prefect)
    ideal = asked.runs * asked.seconds / asked.bandwidth
    first = next(moment for moment, count in service if count)
    last = next((moment for moment, count in service if count >= asked.runs), service[-1][0])
    rest = prefect[-1][0] - last
    rows = [
        ["ideal: runs * seconds / bandwidth", f"{ideal:.0f} s"],
        ["from the first end of a training run to the last", f"{last - first:.0f} s"],
        ["Prefect behind the service, 95 of 100 times at most", f"{quantiles(behind, n=20)[-1]:.1f} s"],
        ["Prefect behind the service, at most", f"{max(behind):.1f} s"],
        ["until Prefect had all of them", f"{max(0.0, rest):.1f} s" if prefect[-1][1] >= asked.runs else f"{prefect[-1][1]} of {asked.runs} only"],
        ["a count of task runs, at most", f"{max(answers):.1f} s"],
        ["memory of Prefect's server at the beginning", f"{memory[0]:.0f} MB"],
        ["memory of Prefect's server at most", f"{max(memory):.0f} MB"],
        ["memory of Prefect's server at the end", f"{memory[-1]:.0f} MB"],
    ]
    print(table([f"{asked.runs} training runs of {asked.seconds:g} s, {asked.bandwidth} at a time", "figure"], rows))


if __name__ == "__main__":
    main()
