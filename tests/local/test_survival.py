"""What is killed, and what comes of it: adopted, lost, stopped; never two models for one attempt, and nothing left behind."""

import asyncio
import fcntl
import json
import os
import signal
from pathlib import Path

from tasks.compute import Exit
from tests.local.conftest import Bench
from tests.processes import is_running


async def until(fact, seconds: float = 10) -> None:  # noqa: ANN001
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.01)


def launcher_pid(bench: Bench) -> int:
    return bench.compute.folder(bench.attempts[-1]).launcher()["pid"]


def model_pid(bench: Bench) -> int:
    pid = bench.compute.folder(bench.attempts[-1]).model_pid()
    assert pid is not None
    return pid


async def test_a_killed_launcher_means_lost_and_its_model_goes_with_it(bench: Bench) -> None:
    attempt = bench.attempt("sleep", "100")
    await bench.compute.launch(attempt)
    pid = model_pid(bench)
    os.kill(launcher_pid(bench), signal.SIGKILL)
    ended = await bench.follow(attempt)
    assert ended.lost == "its launcher was killed" and not is_running(pid)
    await bench.compute.launch(attempt)
    assert (await bench.follow(attempt)).lost, "an attempt that was lost is never started again"


async def test_a_machine_that_restarted_means_lost(bench: Bench) -> None:
    attempt = bench.attempt("true")
    folder = bench.compute.folder(attempt)
    folder.path.mkdir(parents=True)
    (folder.path / "launcher.json").write_text(json.dumps({"pid": 1, "boot_id": "an earlier one", "started": 5.0}))
    assert await bench.follow(attempt) == Exit(lost="this machine was restarted", started=5.0)


async def test_a_folder_whose_launcher_never_came_up_is_used(bench: Bench) -> None:
    attempt = bench.attempt("sh", "-c", "echo up")
    folder = bench.compute.folder(attempt)
    folder.path.mkdir(parents=True)
    folder.write("launch.json", {"half": "made"})
    await bench.compute.launch(attempt)
    assert (await bench.follow(attempt)).code == 0 and bench.printed() == "up\n"


async def test_killing_the_model_is_the_models_end_and_not_a_loss(bench: Bench) -> None:
    attempt = bench.attempt("sleep", "100")
    await bench.compute.launch(attempt)
    os.kill(model_pid(bench), signal.SIGKILL)
    ended = await bench.follow(attempt)
    assert ended.signal == 9 and ended.lost is None and not ended.out_of_memory


async def test_stopping_ends_the_group_and_says_so(bench: Bench) -> None:
    attempt = bench.attempt("sh", "-c", "sleep 100 & sleep 100")
    await bench.compute.launch(attempt)
    pid = model_pid(bench)
    await bench.compute.stop(attempt)
    assert (await bench.follow(attempt)).stopped and not is_running(pid)
    await bench.compute.stop(attempt)


async def test_stopping_kills_a_model_that_will_not_end(bench: Bench) -> None:
    attempt = bench.attempt("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    await bench.compute.launch(attempt)
    await until(lambda: bench.printed() == "ready\n")
    pid = model_pid(bench)
    await bench.compute.stop(attempt, grace=0.2)
    assert not is_running(pid) and not bench.compute.folder(attempt).is_alive()


async def test_half_a_journal_line_is_no_report(bench: Bench) -> None:
    await bench.execute("true")
    folder = bench.compute.folder(bench.attempts[-1])
    whole = json.dumps({"number": 1, "kind": "merge", "body": {"a": 1}}) + "\n"
    (folder.path / "journal.jsonl").write_text(whole + '{"number": 2, "ki')
    await bench.follow(bench.attempts[-1])
    assert [report.number for report in bench.reports] == [1]


async def test_files_are_readable_by_the_user_alone(bench: Bench) -> None:
    await bench.execute("true")
    folder: Path = bench.compute.folder(bench.attempts[-1]).path
    assert folder.stat().st_mode & 0o077 == 0 and (folder / "log").stat().st_mode & 0o077 == 0


async def test_a_launcher_that_is_just_ending_is_not_waited_for(bench: Bench) -> None:
    """Its pipe is closed and its lock not yet given back: a follower that comes then would never hear of its end."""
    await bench.execute("sh", "-c", "exit 6")
    attempt = bench.attempts[-1]
    with open(bench.compute.folder(attempt).path / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with asyncio.timeout(1):
            assert (await bench.follow(attempt)).code == 6
            await bench.compute.stop(attempt)
