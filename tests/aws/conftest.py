"""One stand for all tests of this folder, empty before each."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import pytest

from tasks.aws.session import Aws, Keys
from tasks.aws.waiting import Waiter
from tests.aws.in_process import answered_in_process
from tests.aws.stand import REGION, Stand

LOADER = botocore.loaders.create_loader()
"""The descriptions of AWS's services, read once: each session would read them again, which takes longer than most tests."""


@pytest.fixture(scope="session")
def running() -> Iterator[Stand]:
    stand = Stand()
    end = answered_in_process(stand.url, lambda environ, start: stand.front(environ, start))
    yield stand
    end()
    stand.close()


@pytest.fixture
def stand(running: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stand]:
    running.reset()
    for name, value in running.environment(running.user("owner")).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("botocore.session.create_loader", lambda *_, **__: LOADER)
    # botocore sleeps before it tries again; the stand needs no rest.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    yield running


@pytest.fixture
def aws(stand: Stand) -> Aws:
    return Aws(Keys(), region=REGION)


@pytest.fixture
def wait() -> Waiter:
    """Waits without waiting: its clock goes on by the seconds that it would have slept."""
    return Waiter(clock=itertools.count().__next__, sleep=lambda seconds: None)
