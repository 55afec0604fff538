"""A plain Prefect server that has nothing of trialflow but its deployments, and a worker."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import free_port

ROOT = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[Path], Path]) -> Iterator[dict[str, str]]:
    """A Prefect server for the tests of a module, and a worker of the pool that prefect.yaml names. Returns the variables that lead to them."""
    folder = tmp_path_factory.mktemp("deployed")
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SIGOPT_"))}
    variables |= {
        "PREFECT_HOME": str(migrated(folder / "prefect")),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "TRIALFLOW_HOME": str(folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = (folder / "server.log").open("wb")
    command = [PREFECT, "server", "start", "--port", str(port)]
    server = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    worker = None
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        prefect(variables, "work-pool", "create", "trialflow", "--type", "process")
        prefect(variables, "--no-prompt", "deploy", "--all")
        log = (folder / "worker.log").open("wb")
        command = [PREFECT, "worker", "start", "--pool", "trialflow"]
        worker = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=folder)
        yield variables
    finally:
        for process in (worker, server):
            if process is not None:
                end(process)


def end(process: subprocess.Popen) -> None:
    """End a process; by force if it takes long, because its work is done."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(address: str) -> None:
    """Wait until something answers there."""
    until = time.monotonic() + 240  # on a busy machine Prefect's server takes minutes to start
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def prefect(variables: dict[str, str], *arguments: str, stdin: str = "") -> str:
    """Run a `prefect` command and return what it prints."""
    command = [PREFECT, *arguments]
    done = subprocess.run(command, env=variables, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
