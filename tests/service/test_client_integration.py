"""The `sigopt` client's own integration tests, as they come in its wheel, against this service.

TRIALFLOW_CLIENT_TESTS_PYTHON names an interpreter that has what they need beside the client (hyperopt, pymongo, xgboost, scikit-learn,
setuptools before 81); CI makes one. Without it the two modules that need nothing else are run. Left out are the variants over a MongoDB and a Spark
cluster, and `test_provided_run`, which looks for a key of the booster's own dump that no xgboost on the index for these Pythons writes any more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.conftest import Running, start

PROJECTS = ("hyperopt-integration-test", "dev-sigopt-xgb-integration-test", "sigopt-integration-test")


@pytest.mark.slow
def test_the_clients_own_tests_pass(tmp_path: Path) -> None:
    python = os.environ.get("TRIALFLOW_CLIENT_TESTS_PYTHON")
    service = start(tmp_path / "home")
    try:
        outcome = client_tests(service, python or sys.executable, everything=python is not None, folder=tmp_path)
    finally:
        service.process.terminate()
        service.process.wait(10)
    print(outcome.stdout[-3000:])
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]


def client_tests(service: Running, python: str, *, everything: bool, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run them in a process of their own, which has nothing of ours but the address and the token."""
    for project in PROJECTS:
        service.call("POST", "clients/1/projects", {"id": project, "name": project})
    ask = "import integration_test as i, sys; print(i.__path__[0]); print(sys.version_info < (3, 11))"
    said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()
    tests, can_sample_sets = Path(said[0]), said[1] == "True"
    chosen = ["test_experiment.py", "test_sigopt.py", *(["test_hyperopt.py"] if everything else [])]
    if everything and can_sample_sets:  # they sample from sets themselves, which Python has refused since 3.11
        chosen += ["test_xgboost_experiment.py", "test_xgboost_run.py"]
    environment = {
        **os.environ,
        "SIGOPT_API_URL": service.url,
        "SIGOPT_API_TOKEN": service.token,
        "SIGOPT_PROJECT": "sigopt-integration-test",
        "HOME": str(folder),
    }
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        "-k",
        "not mongo and not spark and not test_provided_run",
        *(str(tests / name) for name in chosen),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder, check=False)
