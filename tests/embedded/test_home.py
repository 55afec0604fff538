"""The home and its tokens are the user's alone."""

import re
import stat
from pathlib import Path

import pytest

from trialflow.errors import TrialflowError
from trialflow.home import Home


def test_what_is_made_is_private_and_each_server_has_its_own_token(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.token() == home.token() != home.prefect_token() == home.prefect_token()
    for path in (home.root, home.token_file, home.prefect_token_file, home.make(home.servers)):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_home_that_others_can_write_to_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.root.chmod(mode)
    with pytest.raises(TrialflowError, match="can write to the folder") as refused:
        home.token()
    assert refused.value.hint and f"chmod 700 {home.root}" in refused.value.hint
    home.root.chmod(0o700)
    assert home.token()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602])
def test_a_token_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    home = Home(tmp_path / "home")
    before = home.token()
    home.token_file.chmod(mode)
    with pytest.raises(TrialflowError, match="the token in") as refused:
        home.token()
    assert refused.value.hint and re.search("rm .*chmod 600", refused.value.hint)
    home.token_file.unlink()
    assert home.token() != before


def test_the_token_of_a_home_of_before_goes_on_working(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make(home.root)
    home.token_file.touch(mode=0o600)
    home.token_file.write_text("the-token-of-before\n")
    assert home.token() == "the-token-of-before" != home.prefect_token()
