"""A disk that is full for a while: metrics and the outcome wait for room, the log says that it is incomplete, and the model never notices."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.local import LocalCompute
from tests.contract.training import SPEAKS, Course
from tests.local.conftest import PYTHON, Bench

WAITS = "until [ -e go ]; do sleep 0.02; done; "


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk could not be mounted: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a page on it. Returns the file to delete."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 16, 1 << 12):
        try:
            while os.write(descriptor, bytes(size)) == size:
                pass
        except OSError:
            pass
    os.close(descriptor)
    return filler


async def on_a_full_disk(bench: Bench, disk: Path, *command: str) -> Course:
    """Launch with room, go on without, and make room again a moment later."""
    bench.compute = LocalCompute(disk / "training-runs", api_url="")
    attempt = bench.attempt(*command, patterns={"m": "m=([0-9]+)"})
    await bench.compute.launch(attempt)
    course = Course(bench.compute, attempt)
    following = asyncio.ensure_future(course.follow(30))
    await asyncio.sleep(0.05)
    filler = fill(disk)
    (bench.root / "go").touch()
    await asyncio.sleep(0.7)
    assert not following.done() and not course.reports
    filler.unlink()
    await following
    return course


async def test_printed_metrics_wait_for_room_and_the_outcome_says_that_the_log_is_incomplete(bench: Bench, disk: Path) -> None:
    course = await on_a_full_disk(bench, disk, "sh", "-c", WAITS + "echo m=1; sleep 0.1; echo m=2")
    assert course.exit.code == 0 and course.values("m") == [1, 2]
    outcome = json.loads((bench.compute.folder(course.attempt).path / "outcome.json").read_text())
    assert outcome["log_problem"] == "the log is incomplete: No space left on device"


async def test_a_model_that_logs_is_asked_to_try_again_and_nothing_is_lost(bench: Bench, disk: Path) -> None:
    code = SPEAKS + (
        "import time\n"
        "answers = []\n"
        "while not answers or answers[-1] == 429:\n"
        "    answers.append(say('MERGE', {'values': {'m': {'value': 3}}})[0]); time.sleep(0.1)\n"
        "print(answers[0], answers[-1])"
    )
    course = await on_a_full_disk(bench, disk, "sh", "-c", WAITS + 'exec "$0" -c "$1"', PYTHON, code)
    assert course.exit.code == 0 and course.values("m") == [3] and course.printed == b"429 204\n"
