"""The systemd unit: systemd accepts it, and what it starts comes up and ends in order at the signal that systemd sends."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.users import User
from tests.waiting import free_port
from trialflow.embedded import standing
from trialflow.home import Home

UNIT = Path(__file__).parents[2] / "deployments" / "systemd" / "trialflow.service"
INSTALLED = "%h/.local/bin/trialflow"
PATIENCE = 300.0


def values(name: str) -> list[str]:
    """What the unit says under a name."""
    return [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:  # then what it would look at first
        assert [line for line in UNIT.read_text().splitlines() if line.startswith("[")] == ["[Unit]", "[Service]", "[Install]"]
        return
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(INSTALLED, str(Path(sys.executable).with_name("trialflow"))))
    variables = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run([program, "verify", "--user", str(copy)], env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and UNIT.name not in done.stderr, done.stderr


def test_systemd_waits_longer_than_an_orderly_end_takes() -> None:
    from deployments.worker import END_SECONDS

    (seconds,), (mode,) = values("TimeoutStopSec"), values("KillMode")
    assert float(seconds) > END_SECONDS and mode == "mixed"


@pytest.mark.slow
def test_what_the_unit_starts_comes_up_and_ends_in_order(tmp_path: Path) -> None:
    (line,) = values("ExecStart")
    program, *arguments = shlex.split(line)
    assert program == INSTALLED and arguments[0] == "up"
    arguments[arguments.index("--port") + 1] = str(free_port())
    user = User(tmp_path, tmp_path / "home")
    process = user.start(*arguments)
    try:
        deadline = time.monotonic() + PATIENCE
        while standing(Home(user.home)) is None:
            assert process.poll() is None and time.monotonic() < deadline, "it did not come up"
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and standing(Home(user.home)) is None, said
    finally:
        process.kill()
        process.communicate()
