"""The client that people had before 8: its public surface against the service, and its runs in models. Needs TRIALFLOW_OLDER_CLIENT_PYTHON."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.users import User
from tests.service.conftest import start

PROGRAM = Path(__file__).parents[1] / "contract" / "older_client.py"


@pytest.fixture
def python() -> str:
    found = os.environ.get("TRIALFLOW_OLDER_CLIENT_PYTHON")
    if not found:
        pytest.skip("TRIALFLOW_OLDER_CLIENT_PYTHON names no Python with sigopt 7.5")
    return found


@pytest.mark.slow
def test_all_that_people_did_with_the_older_client_works(python: str, tmp_path: Path) -> None:
    service = start(tmp_path / "home")
    variables = {"SIGOPT_API_URL": service.url, "SIGOPT_API_TOKEN": service.token, "SIGOPT_PROJECT": "older", "HOME": str(tmp_path)}
    try:
        done = subprocess.run([python, PROGRAM], env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=120)
    finally:
        service.process.terminate()
        service.process.wait(10)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stderr


@pytest.mark.slow
def test_a_model_with_the_older_client_is_tracked(python: str, user: User) -> None:
    experiment = "name: older\nparameters: [{name: x, type: double, bounds: {min: 0, max: 1}}]\nmetrics: [{name: y}]\nbudget: 2\n"
    (user.folder / "experiment.yml").write_text(experiment)
    code, _, said = user.type("optimize", "--", python, str(PROGRAM), "model")
    assert code == 0, said
    exported = user.type("experiment", "export", "-o", "json")[1]
    for fact in ('"y"', '"own": 7'):
        assert fact in exported
