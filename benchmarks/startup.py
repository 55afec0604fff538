"""Start-up: seconds until `--help` is printed, and from `optimize` to the first training run, with and without a running Prefect server.

    python -m benchmarks.startup

The yardsticks are a bare Python and `import prefect`, which every flow needs.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import table
from benchmarks.loop import EXPERIMENT

RUN = """\
run: date +%s.%N > started; echo y=1
metrics: {y: 'y=(.*)'}
"""


def main() -> None:
    rows = [
        ["bare python", seconds([sys.executable, "-c", ""])],
        ["import prefect", seconds([sys.executable, "-c", "import prefect"])],
        ["trialflow --help", seconds([sys.executable, "-m", "trialflow", "--help"])],
    ]
    with tempfile.TemporaryDirectory() as home:
        first_training_run(home)  # the very first one creates the databases
        rows.append(["optimize to first training run, nothing running", best(lambda: first_training_run(home))])
        holder = subprocess.Popen([sys.executable, "-c", HOLD], env={**os.environ, "TRIALFLOW_HOME": home}, stdout=subprocess.PIPE, text=True)
        assert holder.stdout
        holder.stdout.readline()
        rows.append(["optimize to first training run, Prefect server running", best(lambda: first_training_run(home))])
        holder.kill()
        holder.wait()
    print(table(["", "seconds"], [[name, f"{value:.2f}"] for name, value in rows]))


HOLD = (
    "from trialflow.embedded import *; from trialflow.home import Home; import time\n"
    "held = lease(prefect_server(Home.from_environment())); print('up', flush=True); time.sleep(120)"
)


def best(measure) -> float:  # noqa: ANN001
    return min(measure() for _ in range(3))


def seconds(command: list[str]) -> float:
    def once() -> float:
        begin = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - begin

    return min(once() for _ in range(3))


def first_training_run(home: str) -> float:
    """Seconds from the start of the command to the first line of the model."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "experiment.yml").write_text(EXPERIMENT.format(runs=1, bandwidth=1, kind="random"))
        (Path(folder) / "run.yml").write_text(RUN)
        begin = time.time()
        environment = {**os.environ, "TRIALFLOW_HOME": home}
        subprocess.run([sys.executable, "-m", "trialflow", "optimize", "--new"], cwd=folder, env=environment, check=True, capture_output=True)
        return float((Path(folder) / "started").read_text()) - begin


if __name__ == "__main__":
    main()
