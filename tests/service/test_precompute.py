"""Suggestions computed ahead: when it is worth it, when one is still right, and that it changes nothing but the time it takes."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.service.conftest import Running, start
from trialflow.service.errors import BadRequest
from trialflow.service.optimizer_process import BACKGROUND, OptimizerProcess, OptimizerProcessEnded
from trialflow.service.precompute import Snapshot, should_precompute, stale_reason

NOW = Snapshot(history=1, last=7, pending=(8, 9))


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        (NOW, None),
        (Snapshot(2, 7, (8, 9)), "the experiment or an earlier observation changed"),
        (Snapshot(1, 6, (8, 9)), "there is a new observation"),
        (Snapshot(1, 7, (8,)), "other suggestions are pending"),
        (Snapshot(1, 7, ()), "other suggestions are pending"),
        (Snapshot(1, 7, (9, 8)), "other suggestions are pending"),
    ],
)
def test_one_is_right_only_for_the_same_basis(ready: Snapshot, expected: str | None) -> None:
    assert stale_reason(ready, NOW) == expected


@pytest.mark.parametrize(
    ("pending", "bandwidth", "observed", "budget", "expected", "why"),
    [
        (0, 1, 3, 10, True, "a slot is free"),
        (1, 1, 3, 10, False, "all slots are taken: an observation comes first"),
        (3, 4, 3, 10, True, "one of four is free"),
        (5, 4, 3, 10, False, "more than the bandwidth"),
        (0, 1, 10, 10, False, "the budget is spent"),
        (3, 4, 7, 10, False, "what is pending takes the rest of the budget"),
        (0, 1, 1000, None, True, "there is no budget"),
        (0, 1, 9.5, 10.0, True, "half a unit is left for a cheap task"),
    ],
)
def test_it_is_computed_ahead_when_it_will_be_asked_for(
    pending: int, bandwidth: int, observed: float, budget: float, expected: bool, why: str
) -> None:
    assert should_precompute(pending=pending, bandwidth=bandwidth, observed=observed, budget=budget) is expected, why


def points(home: Path, pause: float) -> list[dict]:
    """Assignments of 16 training runs, two at a time, with time to compute ahead or none."""
    running = start(home)
    try:
        experiment, found, active = running.experiment(parallel_bandwidth=2, budget=16), [], []
        while len(found) < 16:
            run = running.run(experiment)
            found.append(run["assignments"])
            active.append(run)
            time.sleep(pause)
            if len(active) == 2:
                first = active.pop(0)
                running.end(first, -((first["assignments"]["x"] - 0.3) ** 2))
                time.sleep(pause)
        return found
    finally:
        running.process.terminate()
        running.process.wait(10)


def test_the_same_history_gives_the_same_suggestions_with_time_to_compute_ahead_or_none(tmp_path: Path) -> None:
    assert points(tmp_path / "fast", 0.0) == points(tmp_path / "slow", 0.15)


def test_a_service_ends_within_a_second_whatever_it_computes(tmp_path: Path) -> None:
    running = start(tmp_path / "home")
    experiment = running.call("POST", "experiments", {"name": "e", "parameters": PARAMETERS, "metrics": [{"name": "m"}]})
    observed = [{"assignments": {f"x{k}": (n * (k + 3) % 101) / 101 for k in range(8)}, "value": n % 7} for n in range(900)]
    running.call("POST", f"experiments/{experiment['id']}/observations/batch", {"observations": observed})
    begin = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(10)
    assert time.monotonic() - begin < 1.0


PARAMETERS = [{"name": f"x{k}", "type": "double", "bounds": {"min": 0, "max": 1}} for k in range(8)]


@pytest.fixture
def computer():  # noqa: ANN201
    one = OptimizerProcess()
    yield one
    one.close()


def test_answers_and_errors_come_back(computer: OptimizerProcess) -> None:
    assert computer.submit("math:hypot", 3, 4).result(10) == 5
    with pytest.raises(ValueError, match="math domain error|nonnegative"):
        computer.submit("math:sqrt", -1).result(10)
    assert str(pytest.raises(BadRequest, computer.submit("trialflow.service.adapter:check_supported", BAD).result, 20).value).startswith(
        "not supported"
    )


BAD = {"parameters": PARAMETERS, "metrics": [{"name": name, "strategy": "optimize"} for name in "abc"]}


def test_what_is_urgent_goes_first(computer: OptimizerProcess) -> None:
    done: list[str] = []
    blocking = computer.submit("time:sleep", 0.3)
    for name, urgency in (("ahead", BACKGROUND), ("now", 0)):
        computer.submit("math:sqrt", 4, urgency=urgency).add_done_callback(lambda _, name=name: done.append(name))
    last = computer.submit("math:sqrt", 4, urgency=BACKGROUND)
    assert blocking.result(10) is None and last.result(10) == 2 and done == ["now", "ahead"]


def test_a_process_that_was_killed_is_started_again(computer: OptimizerProcess) -> None:
    first = computer.submit("os:getpid").result(10)
    os.kill(first, signal.SIGKILL)
    assert computer.submit("os:getpid").result(10) != first


def test_closing_gives_up_what_is_under_way() -> None:
    computer = OptimizerProcess()
    computer.submit("math:sqrt", 4).result(10)
    sleeping = computer.submit("time:sleep", 60)
    time.sleep(0.1)
    begin = time.monotonic()
    computer.close()
    assert time.monotonic() - begin < 1.0
    with pytest.raises(OptimizerProcessEnded):
        sleeping.result(1)


def test_parameters_added_later_have_their_default_in_older_points(service: Running) -> None:
    experiment = service.experiment(budget=None)
    for number in range(8):
        service.end(service.run(experiment, assignments={"x": number / 8, "k": "a"}), number / 8)
    added = {"name": "y", "type": "double", "bounds": {"min": 0, "max": 1}, "default_value": 0.5}
    service.call("PUT", f"aiexperiments/{experiment['id']}", {"parameters": [*experiment["parameters"], added]})
    run = service.run(experiment)
    assert set(run["assignments"]) == {"x", "k", "y"}
    service.end(run, 1.0)
    assert service.run(experiment)["suggestion"]
