"""The loop: 200 training runs of `sleep 1`, 8 at a time, against the ideal of 25 s; and the CPU that trialflow itself needs for each of them.

    python -m benchmarks.loop [--runs 200] [--bandwidth 8]

The ideal is `runs * 1 s / bandwidth`. The second yardstick, GNU xargs with the same number of processes, shows what the machine adds. CPU counts
everything except the sleeping model: the command, the launchers, the service with the optimizer's process, and the Prefect server with its UI.
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
        whole, loop, cpu = trialflow(folder, asked.runs)
    bare = xargs(asked.runs, asked.bandwidth)
    parts = {name: 1000 * seconds / asked.runs for name, seconds in cpu.items()}
    rows = [
        ["ideal", f"{ideal:.1f}", "", ""],
        ["xargs -P, no tuning", f"{bare:.1f}", f"{100 * (bare / ideal - 1):+.0f} %", ""],
        ["trialflow, first to last training run", f"{loop:.1f}", f"{100 * (loop / ideal - 1):+.0f} %", f"{sum(parts.values()):.0f}"],
        ["trialflow, whole command", f"{whole:.1f}", "", ""],
    ]
    print(table(["200 x sleep 1".replace("200", str(asked.runs)), "seconds", "over ideal", "own CPU ms per training run"], rows))
    print("\nof which " + ", ".join(f"{name} {value:.0f}" for name, value in parts.items()))


def trialflow(folder: str, runs: int) -> tuple[float, float, dict[str, float]]:
    """Seconds of the whole command, seconds from the first launch to the last end, and the CPU seconds in between by part."""
    home = Path(folder) / "home"
    environment = {**os.environ, "TRIALFLOW_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    begin = time.monotonic()
    command = [sys.executable, "-m", "trialflow", "optimize", "-o", "json", "--no-canary"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        tree = psutil.Process(process.pid)
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        first = last = begin
        said: list[str] = []
        assert process.stderr
        for line in process.stderr:
            said.append(line)
            if " is new" in line:
                first, before = time.monotonic(), own_cpu(tree, home)
            elif f"{runs}/{runs} training run" in line:
                last, after = time.monotonic(), own_cpu(tree, home)
        out = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"`trialflow optimize` ended with {process.returncode}:\n" + "".join(said[-20:]))
    json.loads(out)
    return time.monotonic() - begin, last - first, {name: after[name] - before.get(name, 0.0) for name in after}


def own_cpu(command: psutil.Process, home: Path) -> dict[str, float]:
    """CPU seconds so far by part. The launchers are those children that the command has waited for."""
    own, launchers = _split(command)
    parts = {"flow": own, "launchers": launchers}
    for server in ("prefect", "service"):
        endpoint = json.loads((home / "servers" / server / "endpoint.json").read_text())
        processes = {psutil.Process(endpoint[key]) for key in ("pid", "host_pid")}
        below = {child for process in processes for child in process.children(recursive=True)} - processes
        parts[f"{server} server" if server == "prefect" else server] = sum(sum(_split(process)) for process in processes)
        if server == "service":
            parts["optimizer"] = sum(sum(_split(process)) for process in below)
    return parts


def _split(process: psutil.Process) -> tuple[float, float]:
    times = process.cpu_times()
    return times.user + times.system, times.children_user + times.children_system


def xargs(runs: int, bandwidth: int) -> float:
    begin = time.monotonic()
    numbers = "\n".join(map(str, range(runs)))
    subprocess.run(["xargs", "-P", str(bandwidth), "-I{}", "sh", "-c", "sleep 1; echo {}"], input=numbers, text=True, check=True, capture_output=True)
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
