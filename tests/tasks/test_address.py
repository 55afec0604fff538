"""Which service a flow uses, where it must not be one of its own."""

from pathlib import Path

import pytest

from tasks.experiments.address import open_service
from trialflow.errors import InvalidInput
from trialflow.home import INSIDE, Home


async def test_a_flow_that_runs_as_a_job_starts_no_service_that_would_be_gone_with_its_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGOPT_API_URL", "SIGOPT_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(INSIDE, "mine")
    with pytest.raises(InvalidInput, match="no service is named"):
        async with open_service(Home(tmp_path / "home")):
            pass
    assert not (tmp_path / "home" / "servers").exists()


async def test_it_uses_the_one_of_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INSIDE, "mine")
    monkeypatch.setenv("SIGOPT_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SIGOPT_API_TOKEN", "a-token")
    async with open_service(Home(tmp_path / "home")) as (client, token):
        assert (client.url, token) == ("http://127.0.0.1:1", "a-token")
