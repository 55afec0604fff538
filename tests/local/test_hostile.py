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
from tests.service.conftest import Running, started
from trialflow.home import Home

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    """A service."""
    with started(tmp_path / "home", end_seconds=60) as running:
        yield running


async def test_hostile_models_cost_what_is_theirs_and_no_more(served: Running, tmp_path: Path) -> None:
    client = ServiceClient(served.url, served.token)
    compute = LocalCompute(tmp_path / "runs", api_url=served.url, issue=RunTokens(client, served.token))
    experiment = await attack(served, Home(tmp_path / "home"), compute, (sys.executable, "-c", MODEL))
    client.close()
    variables = {**os.environ, "SIGOPT_API_URL": served.url, "SIGOPT_API_TOKEN": served.token, "TRIALFLOW_HOME": str(tmp_path / "home")}
    for words in (("show",), ("export", "-o", "csv"), ("export", "-o", "yaml"), ("best",)):
        command = [sys.executable, "-m", "trialflow", "experiment", words[0], experiment["id"], *words[1:]]
        shown = on_terminal(command, {**variables, "TERM": "dumb", "NO_COLOR": "1"}, tmp_path)
        assert len(shown) > 100 and not [letter for letter in shown if letter in "\x1b\x07\x00\x9b\u202e"], shown


def on_terminal(command: list[str], variables: dict[str, str], folder: Path) -> str:
    """What a command shows to somebody who types it at a terminal without colours."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 1 << 16)
        except OSError:  # nobody holds the other end any more
            break
        shown += chunk
    os.close(ours)
    assert process.wait(60) == 0, shown
    return shown.decode()
