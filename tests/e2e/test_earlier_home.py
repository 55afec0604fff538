"""A home that version 0.1.0 left in the middle of an experiment, its processes killed, is taken up by today's commands.

`earlier_home/` was recorded with that version: its database as SQL, and the folder of the one training run that was under way.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.users import User

pytestmark = pytest.mark.slow
RECORDED = Path(__file__).parent / "earlier_home"
BUDGET = 8
EXPERIMENT = f"""\
name: recorded
parameters:
  - {{name: x, type: double, bounds: {{min: 0, max: 1}}}}
  - {{name: kind, type: categorical, categorical_values: [a, b]}}
metrics:
  - {{name: y, strategy: optimize, objective: minimize}}
parallel_bandwidth: 2
budget: {BUDGET}
"""


@pytest.fixture
def returning_user(tmp_path: Path, migrated: Callable[[Path], Path]) -> User:
    folder, home = tmp_path / "oldproj", tmp_path / "home"
    attempt = home / "training-runs" / "embedded" / "4" / "1"
    for one in (folder, home / "service", attempt):
        one.mkdir(parents=True)
    migrated(home / "prefect")
    home.chmod(0o700)
    (home / "token").write_text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG\n")
    (home / "token").chmod(0o600)
    with sqlite3.connect(home / "service" / "trialflow.db") as database:
        database.executescript((RECORDED / "service.sql").read_text())
    for file in (RECORDED / "training-run").iterdir():
        shutil.copy(file, attempt)
    launch = attempt / "launch.json"
    launch.write_text(launch.read_text().replace("{folder}", str(folder)))
    for name in ("lock", "journal.jsonl", "log"):
        (attempt / name).touch(mode=0o600)
    (folder / "model.sh").write_text('echo "y=$TRIALFLOW_PARAM_X"')
    (folder / "run.yml").write_text("run: sh model.sh\nmetrics: {y: 'y=(.*)'}\n")
    (folder / "experiment.yml").write_text(EXPERIMENT)
    return User(folder, home)


def test_an_experiment_of_an_earlier_version_goes_on_with_the_exact_budget_and_repeats_nothing(returning_user: User) -> None:
    before = {1: 0.04000000000000001, 2: 0.005913495713716483, 3: 0.4862745732206596}
    code, out, said = returning_user.type("optimize", "-o", "json")
    assert code == 0, said
    assert "resumes at 3/8" in said
    assert json.loads(out)["done"] == BUDGET

    code, out, said = returning_user.type("experiment", "show", "1", "-o", "json")
    assert code == 0, said
    runs = {int(run["id"]): run for run in json.loads(out)["training_runs"]}
    assert len(runs) == BUDGET and all(run["state"] == "completed" for run in runs.values())
    assert {number: runs[number]["values"]["y"] for number in before} == before
    # The training run whose launcher had been killed is lost, not failed: its assignments are tried in a second attempt.
    assert (runs[4]["attempt"], runs[4]["lost"]) == (2, 1)
    assert runs[4]["values"]["y"] == runs[4]["assignments"]["x"] == 0.6335099458013603
