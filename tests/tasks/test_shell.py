"""The environment of a shell is kept for models that another process starts, for the user alone."""

import os
import stat
from pathlib import Path

import pytest

from tasks.local import keep_shell, shell_of
from trialflow.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_each_folder_has_its_own_and_others_that_of_up(home: Home, tmp_path: Path) -> None:
    assert shell_of(home, tmp_path) is None
    keep_shell(home, {"WHO": "up"})
    keep_shell(home, {"WHO": "here", "TOKEN": "secret"}, tmp_path)
    assert shell_of(home, tmp_path) == {"WHO": "here", "TOKEN": "secret"}
    assert shell_of(home, tmp_path / "other") == {"WHO": "up"}


def test_the_last_one_counts_also_by_another_name_of_the_folder(home: Home, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "model")
    keep_shell(home, {"N": "1"}, tmp_path / "model")
    keep_shell(home, {"N": "2"}, tmp_path / "link")
    assert shell_of(home, tmp_path / "model") == {"N": "2"}


def test_nobody_else_can_read_it(home: Home, tmp_path: Path) -> None:
    keep_shell(home, {"TOKEN": "secret"}, tmp_path)
    for path in (home.root / "shells").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.stat().st_uid == os.geteuid()
    assert stat.S_IMODE((home.root / "shells").stat().st_mode) == 0o700


def test_a_mangled_file_counts_as_none(home: Home, tmp_path: Path) -> None:
    keep_shell(home, {"N": "1"}, tmp_path)
    for path in (home.root / "shells").iterdir():
        path.write_text("no json")
    assert shell_of(home, tmp_path) is None
