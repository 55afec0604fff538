"""`trialflow.optimize` as a program or a notebook calls it: functions and commands as the model, right, wrong, interrupted, twice."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trialflow
from tests.waiting import until
from trialflow.api import process
from trialflow.home import Home

pytestmark = pytest.mark.slow


def spec(**fields: Any) -> dict[str, Any]:
    x = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
    return {"name": "api", "parameters": [x], "metrics": [{"name": "y"}], "type": "random", "budget": 3, "parallel_bandwidth": 2, **fields}


@pytest.fixture(autouse=True)
def folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's own, over servers that stay up."""
    folder = tmp_path / f"api-{tmp_path.name[-25:]}".lower().replace("_", "-").strip("-")
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRIALFLOW_HOME", str(home))
    monkeypatch.delenv("SIGOPT_PROJECT", raising=False)  # other tests of this process set it: the client reads it when it is imported
    yield folder
    process.ask._end()


def test_a_function_in_a_folder_with_tasks_and_flows_of_its_own_inside_of_a_running_loop(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("tasks", "flows", "blocks"):
        (folder / f"{name}.py").write_text(f"WHOSE = 'the user, in {name}'\n")
    (folder / "data.txt").write_text("2")

    def train(params: dict[str, Any]) -> dict[str, Any]:
        import tasks  # the user's

        print("a line of", tasks.WHOSE)
        return {"y": params["x"] * float(Path("data.txt").read_text()), "seconds": (0.5, 0.1)}

    async def cell() -> trialflow.Experiment:
        sys.path.insert(0, str(folder))
        try:
            return trialflow.optimize(spec(metrics=[{"name": "y"}, {"name": "seconds", "strategy": "store"}]), train)
        finally:
            sys.path.remove(str(folder))

    experiment = asyncio.run(cell())
    runs = experiment.training_runs()
    assert [run.state for run in runs] == ["completed"] * 3
    assert all(run.values["y"] == pytest.approx(2 * float(run.assignments["x"])) and run.values["seconds"] == 0.5 for run in runs)
    assert experiment.best().values["y"] == max(run.values["y"] for run in runs) == experiment.history()[-1]["best"]
    frame = experiment.to_pandas()
    assert len(frame) == 3 and frame["y"].max() == experiment.best().values["y"]
    out, said = capfd.readouterr()
    assert out == "" and f'experiment {experiment.id} "api" is new' in said and "3/3 training run" in said
    assert "<table>" in experiment._repr_html_() and trialflow.experiment(experiment.id).name == "api"
    assert [one.id for one in trialflow.experiments()] == [experiment.id]
    assert "prefect" not in sys.modules or "tasks.experiments.client" in sys.modules, "the user's process imports neither"
    assert list((Home.from_environment().root / "functions").iterdir()) == []


def test_what_goes_wrong_in_a_function_is_a_failed_training_run_and_nothing_else(folder: Path) -> None:
    def train(params: dict[str, Any]) -> Any:
        if not os.path.exists("first"):
            open("first", "w").close()
            return 1.0
        kind = os.path.join("done", params["kind"])
        os.makedirs("done", exist_ok=True)
        open(kind, "w").close()
        if params["kind"] == "crash":
            os.abort()
        if params["kind"] == "raise":
            raise KeyError("no such column")
        if params["kind"] == "hang":
            time.sleep(600)
        if params["kind"] == "memory":
            return float(len(bytearray(3 << 30)))
        return {"none": None, "text": "good", "exit": sys.exit}[params["kind"]]

    kinds = ["crash", "raise", "hang", "memory", "none", "text", "exit"]
    kind = {"name": "kind", "type": "categorical", "categorical_values": kinds}
    asked = spec(parameters=[kind], budget=7, parallel_bandwidth=4, type="grid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONFAULTHANDLER", "")
        experiment = trialflow.optimize(asked, train, timeout="20s", memory="2Gi", stop_after_failures=0, progress=False)
    runs = {run.assignments["kind"]: run for run in experiment.training_runs()}
    assert [run.state for run in runs.values()].count("failed") == 6 and len(runs) == 7
    assert experiment.best().assignments["kind"] == "crash", "the first one, which returned before it looked at its kind"
    assert runs["hang"].reason == "out of time: it ran longer than `timeout` allows"
    assert runs["none"].reason == "metric y was not logged"
    assert {runs[one].reason for one in ("raise", "memory", "text", "exit")} == {"exit code 1"}

    def log(kind: str) -> str:
        command = [sys.executable, "-m", "trialflow", "logs", runs[kind].id]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "KeyError: 'no such column'" in log("raise") and "function_runner" not in log("raise")
    assert "out of memory; the limit is 2147483648 bytes" in log("memory")
    assert "the metric y has to be a number" in log("text")


def test_the_same_again_reports_a_raised_budget_goes_on_and_a_changed_function_too() -> None:
    first = trialflow.optimize(spec(budget=2), lambda params: 1.0, progress=False)
    again = trialflow.optimize(spec(budget=2), lambda params: 2.0, progress=False)
    assert again.id == first.id and [run.values["y"] for run in again.training_runs()] == [1.0, 1.0]
    more = trialflow.optimize(spec(budget=3), lambda params: 2.0, progress=False)
    assert more.id == first.id and [run.values["y"] for run in more.training_runs()] == [1.0, 1.0, 2.0]


def test_a_command_with_the_files_of_the_folder(folder: Path) -> None:
    (folder / "experiment.yml").write_text(
        "name: files\nparameters: [{name: x, type: double, bounds: {min: 0, max: 1}}]\nmetrics: [{name: y}]\ntype: random\nbudget: 2\n"
    )
    (folder / "run.yml").write_text("run: echo nothing\nmetrics: {y: 'y={number}'}\nenv: {ADDED: 3}\n")
    experiment = trialflow.optimize(run='echo "y=$ADDED"', progress=False)
    assert [run.values["y"] for run in experiment.training_runs()] == [3, 3]


def test_no_training_run_that_completed_is_an_error() -> None:
    with pytest.raises(trialflow.ExperimentFailed, match="2 training runs failed in a row") as failed:
        trialflow.optimize(spec(), run=["false"], stop_after_failures=2, progress=False)
    assert failed.value.hint and "fix the model" in failed.value.hint
    with pytest.raises(trialflow.ExperimentFailed, match="no completed training run"):
        trialflow.experiment().best()


def test_what_cannot_be_is_said_before_anything_is_started() -> None:
    with pytest.raises(trialflow.InvalidInput, match="experiment: parameters: missing"):
        trialflow.optimize({"name": "x"}, ["true"])
    assert trialflow.experiments() == []


SCRIPT = """
import signal, sys, time, trialflow
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests in the background has it ignored
def train(params):
    open("began", "a").write(".")
    if len(open("began").read()) > 1:
        time.sleep(600 if sys.argv[1:] else 0)
    return params["x"]
trialflow.optimize({spec!r}, train)
"""


def test_interrupted_it_stops_in_order_and_the_same_call_goes_on(folder: Path) -> None:
    script = SCRIPT.replace("600 if sys.argv[1:] else 0", "600 if len(open('began').read()) < 4 else 0")
    (folder / "program.py").write_text(script.format(spec=spec(budget=4)))
    program = subprocess.Popen([sys.executable, "program.py"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: (folder / "began").exists() and len((folder / "began").read_text()) >= 3)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=120)
    assert "stopping the training runs in flight" in said and "KeyboardInterrupt" in said and program.returncode != 0
    assert [run.state for run in trialflow.experiment().training_runs()] == ["completed", "active", "active"]
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    runs = trialflow.experiment().training_runs()
    assert [run.state for run in runs] == ["completed"] * 4 and "resumes at 1/4" in done.stderr and all(run.lost == 0 for run in runs)


def test_a_program_that_is_killed_leaves_nothing_running(folder: Path) -> None:
    (folder / "program.py").write_text(SCRIPT.format(spec=spec(budget=4)))
    program = subprocess.Popen([sys.executable, "program.py", "hang"], stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: (folder / "began").exists() and len((folder / "began").read_text()) >= 3)
    program.kill()
    program.wait()
    wait_until(lambda: not runners_in(folder))
    assert [run.state for run in trialflow.experiment().training_runs()] == ["completed", "active", "active"]


def runners_in(folder: Path) -> list[int]:
    from tests.processes import processes_in

    return processes_in(folder, "function_runner")


def wait_until(is_so: Any) -> None:
    until(is_so, "it never was so", 90, pause=0.05)
