"""Who works on an experiment is told from its lock, its metadata and Prefect; and that work is stopped in order."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.experiments.ownership import Owner, claim_file
from tasks.operations.workers import Worker, WorkStop, apply_work_stop, plan_work_stop, who_works, worker_of
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.metadata_keys import OWNER

THERE = Owner("there", 7, "5ad4a4d5-2c7c-4a55-9d9b-0d1a2a3b4c5d", 1_767_261_600.0)
HERE = replace(THERE, host="here")
URL = "http://service"


@pytest.mark.parametrize(
    ("named", "facts", "worker"),
    [
        (None, {}, None),
        (THERE, {"here": Worker(HERE)}, Worker(HERE)),
        (THERE, {"here": Worker(None)}, Worker(None)),
        (THERE, {"flow_run_is_over": False}, Worker(THERE)),
        (THERE, {"flow_run_is_over": True}, None),
        (THERE, {}, Worker(THERE, is_certain=False)),
        (THERE, {"is_finished": True}, None),
        (HERE, {}, None),
        (HERE, {"flow_run_is_over": False}, None),
    ],
)
def test_who_works_on_an_experiment(named: Owner | None, facts: dict[str, Any], worker: Worker | None) -> None:
    known = {"here": None, "flow_run_is_over": None, "is_finished": False, **facts}
    assert worker_of(named, hostname="here", **known) == worker


def test_a_worker_is_told_as_far_as_it_is_known() -> None:
    assert str(Worker(THERE, is_certain=False)).startswith("perhaps process 7 on there") and str(Worker(None)) == "another process"


HOLD = """
import fcntl, json, os, signal, socket, sys
if len(sys.argv) > 2: signal.signal(signal.SIGINT, signal.SIG_IGN)
file = open(sys.argv[1], "w"); fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"host": socket.gethostname(), "pid": os.getpid(), "flow_run_id": None, "since": 1}, file); file.flush()
print(1, flush=True)
sys.stdin.read()
"""


def experiment(**facts: Any) -> dict[str, Any]:
    return {"id": "12", "budget": 4, "progress": {"finished_run_count": 1}, "metadata": {}, **facts}


def holder(home: Home, *words: str) -> subprocess.Popen[bytes]:
    path = claim_file(home, URL, "12")
    path.parent.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *words], stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout and process.stdout.readline()
    return process


async def test_a_process_on_this_machine_is_seen_and_ended(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert await plan_work_stop(home, URL, experiment()) == WorkStop("12", "nothing")
    with holder(home) as process:
        stop = await plan_work_stop(home, URL, experiment())
        worker = await who_works(home, URL, experiment())
        assert stop.how == "signal" and stop.owner and stop.owner.pid == process.pid and worker == Worker(stop.owner)
        await apply_work_stop(stop, home, URL)
        assert process.wait(10) and await who_works(home, URL, experiment()) is None


async def test_a_process_that_does_not_end_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with holder(home, "stubborn") as process:
        with pytest.raises(TrialflowError, match=f"process {process.pid} still works") as caught:
            await apply_work_stop(await plan_work_stop(home, URL, experiment()), home, URL, patience=0.2)
        assert caught.value.hint == f"end it with `kill {process.pid}`"
        process.kill()


async def test_an_owner_elsewhere_may_still_work_where_nothing_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    named = experiment(metadata={OWNER: THERE.to_json()})
    assert await who_works(Home(tmp_path), URL, named) == Worker(THERE, is_certain=False)
    assert await who_works(Home(tmp_path), URL, experiment(metadata={OWNER: "nonsense"})) is None
    assert (await plan_work_stop(Home(tmp_path), URL, named)).how == "nothing"
