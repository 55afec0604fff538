"""The loop: 200 training runs of `sleep 1`, 8 in flight, against the ideal of 25 s; and what trialflow itself costs in CPU for each.

    python -m benchmarks.loop [--runs 200] [--bandwidth 8]

The ideal is `runs * 1 s / bandwidth`. A second yardstick in the same run is GNU xargs with as many processes: what the machine itself adds.
CPU is everything but the sleeping model: the command, the launchers, the service and the Prefect server with its UI.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import table

EXPERIMENT = """\
name: loop
parameters:
  - {{name: x, type: double, bounds: {{min: 0, max: 1}}}}
metrics:
  - {{name: y, strategy: optimize, objective: maximize}}
type: {kind}
parallel_bandwidth: {bandwidth}
budget: {runs}
"""
RUN = """\
run: sleep 1; echo y=$TRIALFLOW_PARAM_X
metrics: {y: 'y=(.*)'}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--bandwidth", type=int, default=8)
    parser.add_argument("--kind", default="offline", choices=["offline", "random"])
    asked = parser.parse_args()
    ideal = asked.runs / asked.bandwidth
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "experiment.yml").write_text(EXPERIMENT.format(runs=asked.runs, bandwidth=asked.bandwidth, kind=asked.kind))
        (Path(folder) / "run.yml").write_text(RUN)
        whole, loop, cpu = trialflow(folder)
    bare = xargs(asked.runs, asked.bandwidth)
    per_run = 1000 * cpu / asked.runs
    rows = [
        ["ideal", f"{ideal:.1f}", "", ""],
        ["xargs -P, no tuning", f"{bare:.1f}", f"{100 * (bare / ideal - 1):+.0f} %", ""],
        ["trialflow, first to last training run", f"{loop:.1f}", f"{100 * (loop / ideal - 1):+.0f} %", f"{per_run:.0f}"],
        ["trialflow, whole command", f"{whole:.1f}", "", ""],
    ]
    print(table(["200 x sleep 1".replace("200", str(asked.runs)), "seconds", "over ideal", "own CPU ms per training run"], rows))


def trialflow(folder: str) -> tuple[float, float, float]:
    """Seconds of the whole command, seconds from the first launch to the last end, own CPU seconds between them."""
    home = Path(folder) / "home"
    environment = {**os.environ, "TRIALFLOW_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    begin = time.monotonic()
    command = [sys.executable, "-m", "trialflow", "optimize", "-o", "json", "--no-canary"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        tree = psutil.Process(process.pid)
        before = after = 0.0
        first = last = begin
        assert process.stderr
        for line in process.stderr:
            if " is new" in line:
                first, before = time.monotonic(), own_cpu(tree, home)
            elif "training run" in line:
                last, after = time.monotonic(), own_cpu(tree, home)
        json.loads(process.stdout.read() if process.stdout else "")
    return time.monotonic() - begin, last - first, after - before


def own_cpu(command: psutil.Process, home: Path) -> float:
    """CPU seconds so far of the command and the servers, with all children that they have waited for (launchers among them)."""
    pids = [command.pid]
    for server in ("prefect", "service"):
        endpoint = json.loads((home / "servers" / server / "endpoint.json").read_text())
        pids += [endpoint["pid"], endpoint["host_pid"]]
    return sum(sum(psutil.Process(pid).cpu_times()[:4]) for pid in pids)


def xargs(runs: int, bandwidth: int) -> float:
    begin = time.monotonic()
    numbers = "\n".join(map(str, range(runs)))
    subprocess.run(["xargs", "-P", str(bandwidth), "-I{}", "sh", "-c", "sleep 1; echo {}"], input=numbers, text=True, check=True, capture_output=True)
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
