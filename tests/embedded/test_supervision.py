"""A program that is kept running: started again when it dies, after pauses that grow, and ended in order."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from trialflow.embedded.supervision import LONGEST_PAUSE, Keeper, Program, pause_before
from trialflow.errors import TrialflowError

READY = "import os, signal, time; os.write(int(os.environ['TRIALFLOW_READY_FD']), b'{\"url\": \"x\"}\\n')"


def program(folder: Path, script: str) -> Program:
    return Program("the program", (sys.executable, "-c", script), folder / "logs" / "program.log", dict(os.environ))


@pytest.mark.parametrize(
    ("lives", "pause"),
    [([], 0), ([3600], 0), ([0.1], 1), ([0.1, 0.1], 2), ([0.1, 0.1, 0.1, 0.1], 8), ([0.1, 3600, 0.1], 1), ([0.1] * 20, LONGEST_PAUSE)],
)
def test_short_lives_in_a_row_double_the_pause(lives: list[float], pause: float) -> None:
    assert pause_before(lives) == pause


async def test_what_dies_is_started_again_and_a_stop_ends_it(tmp_path: Path) -> None:
    told: list[str] = []
    keeper = Keeper(program(tmp_path, f"{READY}; open({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"), told.append)
    await keeper.start()
    keeping = asyncio.create_task(keeper.keep())
    pids = tmp_path / "pids"
    async with asyncio.timeout(60):
        while not pids.exists() or not pids.read_text().endswith("\n"):
            await asyncio.sleep(0.02)
        first = int(pids.read_text())
        os.kill(first, signal.SIGKILL)
        while len(pids.read_text().splitlines()) < 2:
            await asyncio.sleep(0.02)
        await keeper.stop()
        await keeping
    second = int(pids.read_text().splitlines()[1])
    assert second != first and not Path(f"/proc/{second}").exists()
    assert told[0].startswith("the program ended (exit code -9)") and told[-1] == "the program runs again"


async def test_one_that_does_not_start_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    keeper = Keeper(program(tmp_path, "import sys; sys.exit('no room; password=secret')"), lambda text: None)
    with pytest.raises(TrialflowError) as error:
        await keeper.start()
    assert "no room" in error.value.message and "secret" not in error.value.message and "program.log" in str(error.value.hint)
