"""Who holds a home's servers up: one process, known by its lock, ended in order by another."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trialflow.embedded import AlreadyUp, Standing, hold_up, is_rising, publish_standing, standing, take_down
from trialflow.home import Home

HOLDER = """
import signal, sys, time
from pathlib import Path
from trialflow.embedded import Standing, hold_up, publish_standing
from trialflow.home import Home
import os
home = Home(Path(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with hold_up(home):
    publish_standing(home, Standing(os.getpid(), "a/api", "a", "s", True, "q", 1.0))
    time.sleep(600)
"""


def facts(pid: int) -> Standing:
    return Standing(pid, "a/api", "a", "s", True, "q", 1.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_what_is_up_is_known_while_its_holder_lives(home: Home) -> None:
    assert standing(home) is None and not is_rising(home)
    with hold_up(home):
        assert standing(home) is None and is_rising(home)
        publish_standing(home, facts(os.getpid()))
        assert standing(home) == facts(os.getpid())
    assert standing(home) is None and not is_rising(home)


def test_a_second_holder_is_refused(home: Home) -> None:
    with hold_up(home), pytest.raises(AlreadyUp), hold_up(home):
        pass


def test_what_a_killed_holder_wrote_down_is_not_believed(home: Home) -> None:
    with hold_up(home):
        publish_standing(home, facts(os.getpid()))
        left = (home.servers / "up" / "up.json").read_text()
    (home.servers / "up" / "up.json").write_text(left)
    assert standing(home) is None
    with hold_up(home):
        publish_standing(home, facts(os.getpid() + 1))
        assert standing(home) is None


def test_the_holder_is_ended_in_order_and_a_second_time_there_is_none(home: Home) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(home.root)], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while standing(home) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert take_down(home) and holder.wait(60) == 0
    assert not take_down(home)
