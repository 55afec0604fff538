"""What is killed, and what comes of it: adopted, lost, stopped; never two models for one attempt, and nothing left behind."""

import asyncio
import json
import os
import signal
from pathlib import Path

from tasks.compute import Exit
from tasks.local import LocalCompute
from tests.local.conftest import Bench, is_running


async def until(fact, seconds: float = 10) -> None:  # noqa: ANN001
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.01)


def launcher_pid(bench: Bench) -> int:
    return bench.compute.folder(bench.works[-1]).launcher()["pid"]


def model_pid(bench: Bench) -> int:
    pid = bench.compute.folder(bench.works[-1]).model_pid()
    assert pid is not None
    return pid


async def test_a_second_flow_adopts_what_the_first_one_started(bench: Bench) -> None:
    work = bench.work("sh", "-c", "echo m=1; sleep 0.3; echo m=2", patterns={"m": "m=(.*)"})
    await bench.compute.launch(work)
    second = LocalCompute(bench.compute.root, api_url="http://127.0.0.1:9", api_token="")
    await second.launch(work)
    ended = await second.follow(work, on_reports=bench.take)
    assert ended.code == 0 and bench.printed() == "m=1\nm=2\n" and bench.values() == {"m": 2}


async def test_launching_twice_at_once_starts_one_model(bench: Bench) -> None:
    work = bench.work("sh", "-c", "echo started; sleep 0.2")
    others = [LocalCompute(bench.compute.root, api_url="", api_token="") for _ in range(4)]
    await asyncio.gather(*(compute.launch(work) for compute in (bench.compute, *others)))
    assert (await bench.follow(work)).code == 0
    assert bench.printed() == "started\n"


async def test_an_attempt_that_has_ended_is_not_started_again(bench: Bench) -> None:
    await bench.execute("sh", "-c", "echo once")
    work = bench.works[-1]
    await bench.compute.launch(work)
    assert (await bench.follow(work)).code == 0 and bench.printed() == "once\n"


async def test_a_killed_launcher_means_lost_and_its_model_goes_with_it(bench: Bench) -> None:
    work = bench.work("sleep", "100")
    await bench.compute.launch(work)
    pid = model_pid(bench)
    os.kill(launcher_pid(bench), signal.SIGKILL)
    ended = await bench.follow(work)
    assert ended.lost == "its launcher was killed" and not is_running(pid)
    await bench.compute.launch(work)
    assert (await bench.follow(work)).lost, "an attempt that was lost is never started again"


async def test_a_machine_that_restarted_means_lost(bench: Bench) -> None:
    work = bench.work("true")
    folder = bench.compute.folder(work)
    folder.path.mkdir(parents=True)
    (folder.path / "launcher.json").write_text(json.dumps({"pid": 1, "boot_id": "an earlier one", "started": 5.0}))
    assert await bench.follow(work) == Exit(lost="this machine was restarted", started=5.0)


async def test_a_folder_whose_launcher_never_came_up_is_used(bench: Bench) -> None:
    work = bench.work("sh", "-c", "echo up")
    folder = bench.compute.folder(work)
    folder.path.mkdir(parents=True)
    folder.write("launch.json", {"half": "made"})
    await bench.compute.launch(work)
    assert (await bench.follow(work)).code == 0 and bench.printed() == "up\n"


async def test_killing_the_model_is_the_models_end_and_not_a_loss(bench: Bench) -> None:
    work = bench.work("sleep", "100")
    await bench.compute.launch(work)
    os.kill(model_pid(bench), signal.SIGKILL)
    ended = await bench.follow(work)
    assert ended.signal == 9 and ended.lost is None and not ended.out_of_memory


async def test_stopping_ends_the_group_and_says_so(bench: Bench) -> None:
    work = bench.work("sh", "-c", "sleep 100 & sleep 100")
    await bench.compute.launch(work)
    pid = model_pid(bench)
    await bench.compute.stop(work)
    assert (await bench.follow(work)).stopped and not is_running(pid)
    await bench.compute.stop(work)


async def test_stopping_kills_a_model_that_will_not_end(bench: Bench) -> None:
    work = bench.work("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    await bench.compute.launch(work)
    await until(lambda: bench.printed() == "ready\n")
    pid = model_pid(bench)
    await bench.compute.stop(work, grace=0.2)
    assert not is_running(pid) and not bench.compute.folder(work).is_alive()


async def test_cancelling_the_following_leaves_the_training_run_alone(bench: Bench) -> None:
    work = bench.work("sh", "-c", "sleep 0.3; echo done")
    await bench.compute.launch(work)
    following = asyncio.ensure_future(bench.follow(work))
    await asyncio.sleep(0.05)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert (await bench.follow(work)).code == 0 and bench.printed() == "done\n"


async def test_half_a_journal_line_is_no_report(bench: Bench) -> None:
    await bench.execute("true")
    folder = bench.compute.folder(bench.works[-1])
    whole = json.dumps({"number": 1, "kind": "merge", "body": {"a": 1}}) + "\n"
    (folder.path / "journal.jsonl").write_text(whole + '{"number": 2, "ki')
    await bench.follow(bench.works[-1])
    assert [report.number for report in bench.reports] == [1]


async def test_files_are_readable_by_the_user_alone(bench: Bench) -> None:
    await bench.execute("true")
    folder: Path = bench.compute.folder(bench.works[-1]).path
    assert folder.stat().st_mode & 0o077 == 0 and (folder / "log").stat().st_mode & 0o077 == 0
