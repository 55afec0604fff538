"""Block types are registered once for each set of versions, and in a database of somebody else's every time."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trialflow.embedded import block_types
from trialflow.embedded.block_types import LEFT_OUT, note_registration, registration_settings
from trialflow.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make(home.prefect)
    (home.prefect / "prefect.db").touch()
    return home


def test_what_a_server_has_registered_is_not_registered_again(home: Home) -> None:
    assert registration_settings(home) == {}
    note_registration(home)
    assert registration_settings(home) == LEFT_OUT


def test_other_versions_are_registered(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    note_registration(home)
    monkeypatch.setattr(block_types, "version", lambda name: "3.999")
    assert registration_settings(home) == {}


def test_a_database_that_is_gone_gets_them_again(home: Home) -> None:
    note_registration(home)
    (home.prefect / "prefect.db").unlink()
    assert registration_settings(home) == {}


def test_in_a_database_that_others_can_empty_they_are_registered_at_every_start(home: Home) -> None:
    note_registration(home)
    address = home.root / "database-url"
    address.write_text("postgresql://me:p@db/trialflow")
    address.chmod(0o600)
    assert registration_settings(home) == {}


@pytest.mark.slow
def test_after_its_first_start_a_server_has_those_of_prefect_and_of_integrations(tmp_path: Path, migrated: Callable[[Path], Path]) -> None:
    home = Home(tmp_path / "home")
    migrated(home.prefect)
    with closing(sqlite3.connect(home.prefect / "prefect.db")) as database:
        found = {slug for (slug,) in database.execute("select slug from block_type")}
    assert {"slack-webhook", "aws-credentials", "kubernetes-cluster-config", "docker-registry-credentials"} <= found
    assert registration_settings(home) == LEFT_OUT
