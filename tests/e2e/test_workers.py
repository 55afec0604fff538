"""Several workers on one experiment: on one machine and, by homes of their own, as on several; one budget, whoever is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.users import EXPERIMENT, User
from tests.processes import processes_in
from tests.service.conftest import Running, started

MODEL = "until [ -e go ]; do sleep 0.1; done; echo y=$TRIALFLOW_PARAM_X"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with started(tmp_path / "service") as running:
        yield running


@pytest.fixture
def two(service: Running, home: Path, tmp_path: Path, migrated: Callable[[Path], Path]) -> Iterator[tuple[User, User]]:
    """Two users of one service, each in a home of their own."""
    users = []
    migrated(tmp_path / "home" / "prefect")
    for name, place in (("one", home), ("two", tmp_path / "home")):
        (tmp_path / name).mkdir()
        variables = {"SIGOPT_API_URL": service.url, "SIGOPT_API_TOKEN": service.token, "SIGOPT_PROJECT": "shared"}
        users.append(User(tmp_path / name, place, variables))
        users[-1].write(MODEL, experiment=EXPERIMENT.replace("budget: 6", "budget: 9"))
    yield users[0], users[1]
    for user in users:
        (user.folder / "go").touch()
        for pid in processes_in(user.folder, "trialflow"):
            os.kill(pid, signal.SIGKILL)


def eventually(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def in_flight(service: Running) -> list[int]:
    workers = service.call("GET", "aiexperiments/1/workers")["data"]
    return sorted(worker["active_run_count"] for worker in workers)


def exists(service: Running) -> bool:
    return service.raw("GET", "aiexperiments/1").status_code == 200


@pytest.mark.slow
def test_workers_share_one_budget_and_what_a_killed_one_leaves_is_executed(service: Running, two: tuple[User, User]) -> None:
    one, other = two
    main = one.start("optimize", "--no-canary")
    eventually(lambda: exists(service) and in_flight(service) == [2], "the first flow starts two training runs")

    code, _, said = other.type("optimize")
    assert code == 1 and "already being worked on by process" in said and "start-worker 1" in said
    joined = other.start("start-worker", "1", "--parallel", "2")
    killed = one.start("start-worker", "1", "--parallel", "3")
    eventually(lambda: in_flight(service) == [2, 2, 3], "two workers join")

    killed.kill()
    killed.communicate()
    for user in two:
        (user.folder / "go").touch()
    assert main.wait(120) == 0, main.stderr and main.stderr.read()
    assert joined.wait(120) == 0, joined.stderr and joined.stderr.read()
    experiment = service.call("GET", "aiexperiments/1")
    runs = service.call("GET", "clients/1/projects/shared/training_runs")["data"]
    assert experiment["progress"]["finished_run_count"] == len(runs) == 9 and {run["state"] for run in runs} == {"completed"}
    assert not in_flight(service) and not processes_in(one.folder, "model.sh") and not processes_in(other.folder, "model.sh")


@pytest.mark.slow
def test_work_on_another_machine_is_shown_and_stopped_through_the_service(service: Running, two: tuple[User, User]) -> None:
    one, other = two
    main = one.start("optimize", "--no-canary")
    eventually(lambda: exists(service) and in_flight(service) == [2], "the flow starts two training runs")
    assert f"worker: process {main.pid} on" in other.type("experiment", "show", "1")[2]
    code, _, said = other.type("experiment", "stop", "1")
    assert code == 0 and "asked to stop" in said
    assert main.wait(120) == 130
    eventually(lambda: not processes_in(one.folder, "model.sh"), "the models are stopped")
    summary: dict[str, Any] = service.call("GET", "aiexperiments/1")
    assert summary["progress"]["active_run_count"] == 2 and not in_flight(service)
