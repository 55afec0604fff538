"""Hostile models on this machine: the experiment spends its budget exactly, says what it refused, and nobody else is harmed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.experiments.client import ServiceClient
from tasks.experiments.run_tokens import RunTokens
from tasks.local import LocalCompute
from tests.contract.hostile import MODEL, attack
from tests.service.conftest import Running, start
from trialflow.home import Home

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    """A service."""
    running = start(tmp_path / "home")
    yield running
    running.process.terminate()
    running.process.wait(60)


async def test_hostile_models_cost_what_is_theirs_and_no_more(served: Running, tmp_path: Path) -> None:
    client = ServiceClient(served.url, served.token)
    compute = LocalCompute(tmp_path / "runs", api_url=served.url, issue=RunTokens(client, served.token))
    experiment = await attack(served, Home(tmp_path / "home"), compute, (sys.executable, "-c", MODEL))
    client.close()
    variables = {**os.environ, "SIGOPT_API_URL": served.url, "SIGOPT_API_TOKEN": served.token, "TRIALFLOW_HOME": str(tmp_path / "home")}
    for arguments in (("show",), ("export", "-o", "csv"), ("export", "-o", "yaml")):
        command = [sys.executable, "-m", "trialflow", "experiment", arguments[0], experiment["id"], *arguments[1:]]
        said = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, timeout=120)
        assert not [byte for byte in (said.stdout + said.stderr).decode() if byte in "\x1b\x07\x00\x9b\u202e"], said
