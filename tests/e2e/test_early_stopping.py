"""Early stopping on this machine: which training runs are ended, what counts of them; no crash starts one again or spends budget twice."""

import json
import os
import signal

import psutil
import pytest

from tests.e2e.early import EXPERIMENT, STOPPED, Author, is_decided
from tests.e2e.users import User

pytestmark = pytest.mark.slow


@pytest.fixture
def author(user: User) -> Author:
    return Author(user)


def test_what_is_below_the_median_is_ended_and_counts_with_its_last_checkpoint(author: Author) -> None:
    author.write()
    summary, said = author.finish()
    assert (summary["done"], summary["stopped"], summary["failed"], summary["lost"]) == (6, 2, 0, 0)
    assert said.count("stopped early (median: after 2 checkpoints it has its best acc of") == 2
    author.assert_whole()
    shown = author.user.type("experiment", "show", "-p", author.project)[1]
    assert shown.count(" stopped ") == 2 and shown.count("median: after 2 checkpoints") == 2
    told = json.loads(author.user.type("experiment", "show", "-p", author.project, "-o", "json")[1])["training_runs"]
    assert {one["assignments"]["x"] for one in told if one["stopped_early"]} == STOPPED and {one["state"] for one in told} == {"completed"}
    assert json.loads(author.user.type("experiment", "list", "-p", author.project, "-o", "json")[1])[0]["stopped"] == 2


def test_whoever_comes_after_an_interruption_between_decision_and_end_observes_and_does_not_launch(author: Author) -> None:
    author.write(leaving=3)
    process = author.start()
    author.wait_for(process, is_decided)
    process.kill()
    process.communicate(timeout=60)
    summary, _ = author.finish()
    assert summary["done"] == 6
    author.assert_whole()


def test_a_decision_that_was_written_down_is_carried_out_by_the_next_flow_also_if_the_model_is_gone(author: Author) -> None:
    author.write(seconds=0.6, checkpoints=150)
    process = author.start()
    run = author.wait_for(process, lambda one: one["checkpoint_count"] >= 2)
    process.kill()
    process.communicate()
    author.call("MERGE", f"training_runs/{run['id']}", {"dev_metadata": {"trialflow_stopped_early": "by a rule"}})
    kill_launchers(author.user)
    author.write()
    author.finish()
    author.assert_whole(stopped={run["assignments"]["x"], *STOPPED})


def test_a_training_run_that_is_interrupted_before_any_decision_is_launched_again_under_the_files_rule_as_it_is_now(author: Author) -> None:
    without = EXPERIMENT.partition("early_stopping")[0]
    author.write(experiment=without, seconds=0.6, checkpoints=150)
    process = author.start()
    run = author.wait_for(process, lambda one: one["checkpoint_count"] >= 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    author.write()
    assert author.finish()[0]["stopped"] == 2
    assert author.started().count(run["id"]) == 2 and author.runs()[0]["values"]["size"]["value"] == 100
    assert {one["state"] for one in author.runs()} == {"completed"}


def kill_launchers(user: User) -> None:
    """Kill the launchers of this home, whose models the kernel kills with them."""
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if any(part.endswith("launch.py") for part in line) and any(part.startswith(str(user.home)) for part in line):
                os.kill(process.pid, signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue
