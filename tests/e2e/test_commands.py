"""What a user does on one machine: right, wrong, interrupted, twice."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.flow_runs import edges, label_of, newest
from tests.e2e.users import EXPERIMENT, User
from tests.processes import processes_in

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"{text!r} was never said")


def shown(user: User) -> dict:
    code, out, said = user.type("experiment", "show", "-o", "json")
    assert code == 0, said
    return json.loads(out)


def test_an_experiment_from_its_files_to_its_best_and_again(user: User) -> None:
    user.write('echo "y=$TRIALFLOW_PARAM_X"')
    code, out, said = user.type("optimize", "-o", "json")
    assert code == 0, said
    assert said.splitlines()[0].startswith("Prefect UI: http://127.0.0.1:")
    summary = json.loads(out)
    assert (summary["done"], summary["failed"], summary["lost"]) == (6, 0, 0)
    values = [run["values"]["y"] for run in shown(user)["training_runs"]]
    assert summary["best"][0]["values"]["y"] == max(values) and len(values) == 6

    best = summary["best"][0]
    seen = newest(user, "optimize e2e", until=lambda found: len(found.task_runs) == 24 and all(one["end_time"] for one in found.task_runs))
    assert seen.state == ("COMPLETED", f"6 of 6, best y {best['values']['y']:.5g} (training run {best['id']})")
    labels = {label_of(one) for one in seen.task_runs if one["name"].split()[0] != "suggest"}
    assert len(labels) == 6 and all(re.fullmatch(r"\d+ \(run-[a-z0-9]{8}\)", label) for label in labels), labels
    order = {"suggest": "launch", "launch": "collect", "collect": "observe"}
    follows = edges(seen.task_runs)
    assert len(follows) == 18 and all(order[before["name"].split()[0]] == after["name"].split()[0] for before, after in follows)
    assert all(label_of(before).removesuffix(")") in label_of(after) for before, after in follows), "only steps of one training run are linked"

    code, _, said = user.type("optimize")
    assert code == 0 and "is finished; raise `budget`" in said
    user.write('echo "y=$TRIALFLOW_PARAM_X"', experiment=EXPERIMENT.replace("budget: 6", "budget: 8"))
    code, out, said = user.type("optimize", "-o", "json")
    assert code == 0 and "resumes at 6/8" in said and json.loads(out)["done"] == 8

    assert user.type("experiment", "best", "-o", "best.yml")[0] == 0
    best = json.loads(user.type("experiment", "best", "-o", "json")[1])[0]
    code, out, _ = user.type("run", "-r", "best.yml", "-o", "json")
    assert code == 0 and json.loads(out)["values"]["y"] == best["values"]["y"]
    code, out, _ = user.type("experiment", "export", "-o", "csv")
    assert code == 0 and len(out.splitlines()) == 9 and out.startswith("id,name,state,")
    code, out, _ = user.type("experiment", "list", "-o", "json")
    assert [one["done/budget"] for one in json.loads(out)] == ["8/8"]
    code, out, _ = user.type("logs", best["id"])
    assert out == f"y={best['assignments']['x']!r}\n"


def test_asked_to_end_once_it_stops_in_order_and_the_same_command_goes_on(user: User) -> None:
    user.write('sleep 1; echo "y=$TRIALFLOW_PARAM_X"', experiment=EXPERIMENT.replace("name: e2e", "name: ended by a signal"))
    for number, progress in ((signal.SIGINT, "2/6 training run"), (signal.SIGTERM, "4/6 training run")):
        process = user.start("optimize")
        wait_for_line(process, progress)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130 and "nothing is lost" in said and "next: trialflow optimize" in said
        seen = newest(user, "optimize ended by a signal", until=lambda found: "stopped: " in found.log)
        assert seen.state[0] == "CANCELLED" and re.fullmatch(r"stopped with \d of 6 training runs done; .* goes on", seen.state[1])
        assert "Crash detected!" not in seen.log
        assert not processes_in(user.folder, "model.sh")
    code, out, said = user.type("optimize", "-o", "json")
    assert code == 0, said
    summary = shown(user)
    assert summary["progress"]["finished_run_count"] == 6 and {run["state"] for run in summary["training_runs"]} == {"completed"}
    assert sum(run["lost"] for run in summary["training_runs"]) == 0, "stopping is no loss"


def test_interrupted_twice_it_leaves_at_once_and_what_runs_is_adopted(user: User) -> None:
    user.write("trap '' TERM; sleep 4; echo y=$TRIALFLOW_PARAM_X", experiment=EXPERIMENT.replace("budget: 6", "budget: 2"))
    process = user.start("optimize", "--no-canary")
    wait_for_line(process, "watch:")
    while len(processes_in(user.folder, "model.sh")) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert user.type("optimize")[0] == 0
    assert shown(user)["progress"]["finished_run_count"] == 2
    assert not processes_in(user.folder, "model.sh")


def test_a_second_command_on_the_same_experiment_is_refused_by_name_and_stop_ends_the_first(user: User) -> None:
    user.write("[ -e first ] && sleep 100; touch first; echo y=1")
    first = user.start("optimize")
    wait_for_line(first, "1/6 training run")
    code, _, said = user.type("optimize")
    assert code == 1 and f"is already being worked on by process {first.pid} on" in said and "trialflow experiment stop" in said
    code, _, said = user.type("experiment", "stop")
    assert code == 0 and "stopped" in said
    first.communicate(timeout=30)
    assert first.returncode == 130
    assert "nobody works on experiment" in user.type("experiment", "stop")[2]


def test_a_model_that_fails_stops_the_work_with_its_reason_and_its_last_lines(user: User) -> None:
    broken = EXPERIMENT.replace("name: e2e", "name: broken")
    user.write("echo the data is missing; exit 3", experiment=broken)
    code, _, said = user.type("optimize", "--stop-after-failures", "2")
    assert code == 3
    assert "2/6 training run" in said and "failed: exit code 3" in said and "  | the data is missing" in said
    assert "error: experiment" in said and "hint: fix the model" in said
    seen = newest(user, "optimize broken", until=lambda found: len(found.task_runs) == 8 and "hint: " in found.log)
    ended = {one["name"].split()[0]: (one["state"]["type"], one["state"]["message"]) for one in seen.task_runs}
    assert ended.pop("observe") == ("FAILED", "exit code 3") and {kind for kind, _ in ended.values()} == {"COMPLETED"}
    assert seen.state[0] == "FAILED" and "\nhint: fix the model" in seen.state[1]
    assert "Traceback" not in seen.log and "Crash detected!" not in seen.log
    user.write("echo y=1", experiment=broken)
    assert user.type("optimize")[0] == 0
    assert shown(user)["progress"]["finished_run_count"] == 6


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "Prefect's server does not answer: Failed to reach API at http://127.0.0.1:9/api"),
        (
            {"SIGOPT_API_URL": "http://127.0.0.1:9", "SIGOPT_API_TOKEN": "none"},
            "the service at http://127.0.0.1:9 did not answer: Connection refused",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_a_sentence_and_a_hint(user: User, variables: dict[str, str], said: str) -> None:
    user.write("echo y=1")
    user.variables |= variables
    code, _, words = user.type("optimize")
    assert code == 1
    assert [line.split(":")[0] for line in words.splitlines()] == ["Prefect UI", "error", "hint"] and said in words, words


def test_a_space_that_is_used_up_ends_the_experiment_in_order(user: User) -> None:
    two = EXPERIMENT.replace("{name: x, type: double, bounds: {min: 0, max: 1}}", "{name: x, type: int, bounds: {min: 1, max: 2}}")
    user.write('echo "y=$TRIALFLOW_PARAM_X"', experiment=two)
    code, out, said = user.type("optimize", "-o", "json")
    assert code == 0 and json.loads(out)["space_exhausted"] and "every point has been tried" in said


def test_no_completed_training_run_is_the_models_failure_and_the_data_is_shown_all_the_same(user: User) -> None:
    user.write("echo done", experiment=EXPERIMENT.replace("budget: 6", "budget: 2"))
    code, out, said = user.type("optimize", "--stop-after-failures", "0", "-o", "json")
    assert code == 3 and json.loads(out)["best"] == [] and "has no completed training run" in said
    assert "metric y was not logged" in said


def test_the_options_of_the_model_are_its_own_and_a_large_notebook_is_stored(user: User) -> None:
    notebook = json.dumps({"cells": ["x" * 700_000]})
    (user.folder / "model.ipynb").write_text(notebook)
    code, out, said = user.type("run", "-s", "model.ipynb", "sh", "-c", 'echo "$@"', "sh", "--epochs", "5", "-p", "5", "-o", "name")
    assert code == 0 and "--epochs 5 -p 5 -o name" in out, said


@pytest.mark.parametrize("redirection", ["2>&1 | head -1", ">&- 2>&-"])
def test_streams_that_are_closed_do_not_decide_about_a_training_run(user: User, redirection: str) -> None:
    lines = "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.1; done; touch reached; exit 4"
    (user.folder / "model.sh").write_text(lines)
    line = f"set -o pipefail; {sys.executable} -m trialflow run -- sh model.sh {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=user.folder, env=user.environment, check=False, capture_output=True, timeout=120)
    assert done.returncode == 3 and (user.folder / "reached").exists()


def test_a_changed_experiment_names_the_one_that_it_does_not_continue_whose_results_can_be_copied(user: User) -> None:
    changed = EXPERIMENT.replace("name: e2e", "name: widened")
    user.write('echo "y=$TRIALFLOW_PARAM_X"', experiment=changed.replace("budget: 6", "budget: 2"))
    assert user.type("optimize")[0] == 0
    old = shown(user)["id"]
    user.write('sleep 0.2; echo "y=$TRIALFLOW_PARAM_X"', experiment=changed.replace("max: 1", "max: 3"))
    code, _, said = user.type("optimize")
    assert code == 0 and f"it does not continue experiment {old} of the same name, whose parameters differ" in said, said
    new = shown(user)["id"]
    assert f"trialflow experiment copy {old} {new}" in said
    code, _, said = user.type("experiment", "copy", old, new)
    assert code == 0 and "copied 2 training runs" in said
    assert "copied 0 training runs" in user.type("experiment", "copy", old, new)[2]
    assert shown(user)["progress"]["finished_run_count"] == 8

    for command, word in (("archive", "archived"), ("unarchive", "restored")):
        code, _, said = user.type(command, "experiment", old, "-p", "another")
        assert code == 2 and "not another; nothing was changed" in said, said
        code, _, said = user.type(command, "experiment", old, "-p", user.folder.name[:32])
        assert code == 0 and f"experiment {old}: {word}" in said, said
    code, _, said = user.type("experiment", "best", "-o", "/nonexistent/best.yml")
    assert code == 2 and "/nonexistent/best.yml" in said and "Traceback" not in said and "fault of trialflow" not in said, said


def test_one_training_run_shows_its_result_and_its_exit_code(user: User) -> None:
    code, out, said = user.type("run", "-o", "json", "--", "sh", "-c", "echo hello")
    assert code == 0 and json.loads(out)["state"] == "completed", said
    assert newest(user, f"training-run {user.folder.name}").state[0] == "COMPLETED"
    code, _, said = user.type("run", "--", "sh", "-c", "exit 4")
    assert code == 3 and "failed: exit code 4" in said


@pytest.mark.parametrize("example", ["get-parameter", "shell-metric"])
def test_the_examples_run_as_they_are(user: User, example: str) -> None:
    folder = ROOT / "examples" / example
    for file in folder.iterdir():
        (user.folder / file.name).write_bytes(file.read_bytes())
        (user.folder / file.name).chmod(file.stat().st_mode)
    code, out, said = user.type("optimize", "-o", "json")
    assert code == 0, said
    (best,) = json.loads(out)["best"]
    assert next(iter(best["values"].values())) < {"get-parameter": 0.6, "shell-metric": 0.01}[example]
