"""The owner of an experiment is data that is read with tolerance; its lock is the truth on this machine."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.experiments.ownership import AlreadyWorkedOn, Owner, claim, current_owner, parse_owner
from trialflow.home import Home
from trialflow.locks import hold, is_held

FLOW_RUN = "5ad4a4d5-2c7c-4a55-9d9b-0d1a2a3b4c5d"
OWNER = Owner("here", 7, FLOW_RUN, 1_767_261_600.0)
SINCE = time.mktime(time.strptime("2026-01-01 10:00", "%Y-%m-%d %H:%M"))


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (OWNER.to_json(), OWNER),
        (Owner("here", 7, None, 3.5).to_json(), Owner("here", 7, None, 3.5)),
        (f"process 7 on here since 2026-01-01 10:00, flow run {FLOW_RUN}", Owner("here", 7, FLOW_RUN, SINCE)),
        ("process 7 on here since 2026-01-01 10:00", Owner("here", 7, None, SINCE)),
        (json.dumps({"host": "here", "pid": 7, "since": 1, "of": "a later version"}), Owner("here", 7, None, 1.0)),
        (json.dumps({"host": "here", "pid": 7, "since": 1, "flow_run_id": "../deployments"}), Owner("here", 7, None, 1.0)),
    ],
)
def test_an_owner_is_read_as_it_was_written_by_every_version(text: str, owner: Owner) -> None:
    assert parse_owner(text) == owner


@pytest.mark.parametrize(
    "text",
    [None, "", 7, {}, "x", "[]", "null", "7", "{}", "[" * 100_000, '{"host": 1, "pid": 7, "since": 1}', '{"host": "h", "pid": true, "since": 1}']
    + ['{"host": "h", "pid": -1, "since": 1}', '{"host": "h", "pid": 7, "since": Infinity}', '{"host": "h", "pid": 7, "since": NaN}'],
)
def test_anything_else_names_no_owner(text: object) -> None:
    assert parse_owner(text) is None


async def test_one_process_holds_an_experiment_and_the_next_is_told_who(tmp_path: Path) -> None:
    home, owner = Home(tmp_path), Owner.of_this_process(None)
    assert current_owner(home, "http://service", "12") is None
    async with claim(home, "http://service", "12", owner):
        assert current_owner(home, "http://service", "12") == owner
        with pytest.raises(AlreadyWorkedOn, match=f"process {owner.pid} on {owner.host}"):
            async with claim(home, "http://service", "12", owner):
                pass
    assert current_owner(home, "http://service", "12") is None


def test_a_lock_is_free_when_its_holder_was_killed_and_asking_never_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() and is_held(path)
        holder.kill()
        holder.wait()
    assert not is_held(path) and not is_held(tmp_path / "none")
    with open(path) as file:
        assert hold(file) and is_held(path)
