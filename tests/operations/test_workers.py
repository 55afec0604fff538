"""Who works on an experiment is told from its lock, its metadata and Prefect; and that work is stopped in order."""

import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.experiments.client import ServiceClient, ServiceNotFound
from tasks.experiments.ownership import Owner, claim_file
from tasks.experiments.worker_lease import is_gone, lock_file
from tasks.operations.workers import Worker, apply_work_stop, who_works, worker_of, workers_of
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
signal.signal(signal.SIGINT, signal.SIG_IGN if len(sys.argv) > 2 else signal.default_int_handler)
file = open(sys.argv[1], "w"); fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"host": socket.gethostname(), "pid": os.getpid(), "flow_run_id": None, "since": 1}, file); file.flush()
print(1, flush=True)
sys.stdin.read()
"""


class Leases:
    """A service that knows these leases, and is asked to stop some."""

    url = URL

    def __init__(self, *leases: dict[str, Any]) -> None:
        self.leases = list(leases)
        self.asked: list[str] = []

    async def request(self, method: str, *path: str, body: Any = None) -> dict[str, Any]:
        if method == "POST":
            assert path[:3] == ("aiexperiments", "12", "workers") and path[4] == "stop"
            self.asked.append(path[3])
        return {"data": self.leases}


class NoLeases(Leases):
    """A service that has no leases, as SigOpt's."""

    async def request(self, method: str, *path: str, body: Any = None) -> dict[str, Any]:
        raise ServiceNotFound("no such path")


def client(*leases: dict[str, Any]) -> ServiceClient:
    return cast(ServiceClient, Leases(*leases) if leases else NoLeases())


def experiment(**facts: Any) -> dict[str, Any]:
    return {"id": "12", "budget": 4, "progress": {"finished_run_count": 1}, "metadata": {}, **facts}


def holder(path: Path, *words: str) -> subprocess.Popen[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *words], stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout and process.stdout.readline()
    return process


def lease_of(owner: Owner, identifier: str = "3", lock: str = "worker-" + "a" * 32) -> dict[str, Any]:
    return {"id": identifier, "holder": {**asdict(owner), "lock": lock}}


async def test_a_process_on_this_machine_is_seen_and_ended(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert await who_works(home, client(), experiment()) is None
    with holder(claim_file(home, URL, "12")) as process:
        worker = await who_works(home, client(), experiment())
        assert worker and worker.stop == "signal" and worker.owner and worker.owner.pid == process.pid
        await apply_work_stop(worker, client(), "12")
        assert process.wait(10) and await who_works(home, client(), experiment()) is None


async def test_a_process_that_does_not_end_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with holder(claim_file(home, URL, "12"), "stubborn") as process:
        worker = await who_works(home, client(), experiment())
        assert worker
        with pytest.raises(TrialflowError, match=f"process {process.pid} still works") as caught:
            await apply_work_stop(worker, client(), "12", patience=0.2)
        assert caught.value.hint == f"end it with `kill {process.pid}`"
        process.kill()


async def test_an_owner_elsewhere_may_still_work_where_nothing_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    named = experiment(metadata={OWNER: THERE.to_json()})
    worker = await who_works(Home(tmp_path), client(), named)
    assert worker == Worker(THERE, is_certain=False) and worker.stop == "nothing"
    assert await who_works(Home(tmp_path), client(), experiment(metadata={OWNER: "nonsense"})) is None


async def test_a_lease_says_who_works_elsewhere_and_the_service_asks_it_to_stop(tmp_path: Path) -> None:
    service = client(lease_of(THERE, "3"), lease_of(HERE, "4"))
    both = await workers_of(Home(tmp_path), service, experiment())
    assert [(worker.owner, worker.is_certain, worker.stop) for worker in both] == [(THERE, True, "ask"), (HERE, True, "ask")]
    await apply_work_stop(both[0], service, "12")
    assert cast(Any, service).asked == ["3"]


async def test_a_lease_of_this_machine_is_worth_as_much_as_its_lock(tmp_path: Path) -> None:
    home, lock = Home(tmp_path), tmp_path / "claims" / ("worker-" + "a" * 32)
    with holder(lock) as process:
        service = client(lease_of(replace(THERE, host=socket.gethostname(), pid=process.pid)))
        worker = await who_works(home, service, experiment())
        assert worker and worker.stop == "signal"
        await apply_work_stop(worker, service, "12")
        assert process.wait(10)
    assert await who_works(home, service, experiment()) is None


def test_a_successor_in_the_same_flow_run_takes_the_place_of_what_was_before(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert is_gone(lease_of(THERE), home, replace(THERE, host="elsewhere", pid=9))
    assert not is_gone(lease_of(THERE), home, replace(THERE, flow_run_id=None))
    assert not is_gone(lease_of(replace(THERE, flow_run_id=None)), home, replace(THERE, flow_run_id=None))


@pytest.mark.parametrize("lock", [None, 7, "worker-x", "../../etc/passwd", "worker-" + "a" * 33])
def test_the_lock_that_a_lease_names_is_one_of_ours(tmp_path: Path, lock: object) -> None:
    lease = {"id": "1", "holder": {"host": socket.gethostname(), "lock": lock}}
    assert lock_file(lease, Home(tmp_path)) is None and not is_gone(lease, Home(tmp_path))
