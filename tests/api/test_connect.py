"""The `sigopt` client of a notebook, pointed at the service; and known results, imported before work begins. As a program of its own."""

import subprocess
import sys

import pytest

from tests.e2e.users import User

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys
import trialflow
url = trialflow.connect()
assert not {"SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT"} & set(os.environ), "no variable is set"
assert not {"prefect", "tasks", "flows"} & set(sys.modules), "nothing of ours that could be the user's"
import sigopt
experiment = sigopt.create_experiment(
    name="by client", parameters=[dict(name="x", type="double", bounds=dict(min=0, max=1))], metrics=[dict(name="y")], budget=2
)
for run in experiment.loop():
    with run:
        run.log_metric("y", run.params.x)
found = trialflow.experiment(experiment.id)
assert [run.state for run in found.training_runs()] == ["completed"] * 2, found.training_runs()
assert found.project == os.path.basename(os.getcwd())[:32]
assert found.best().values["y"] == max(run.values["y"] for run in found.training_runs())
assert trialflow.connect() == url

spec = dict(name="taught", parameters=[dict(name="x", type="double", bounds=dict(min=0, max=1))], metrics=[dict(name="y")], budget=2)
taught = trialflow.create_experiment(spec)
assert taught.import_runs(found).count == 2 and taught.import_runs(found).count == 0
done = taught.import_runs([dict(x=0.25, y=9.0), dict(x=0.5), dict(y=1.0)])
assert done.count == 1 and done.skipped == {2: "it has no value of y", 3: "it has no x"}, done
assert trialflow.optimize(spec, lambda params: params["x"], progress=False).id == taught.id
runs = taught.training_runs()
assert [run.is_known for run in runs] == [True] * 3 + [False] * 2 and taught.best().values == {"y": 9.0}
taught.export("taught.parquet")
study = taught.to_optuna("study.db")
assert study.best_value == 9.0 and len(study.trials) == 5
print("all is well")
"""


def test_the_client_works_and_known_results_cost_no_budget(user: User) -> None:
    (user.folder / "tasks.py").write_text("raise SystemExit('the tasks of the user were imported')\n")
    (user.folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=user.folder, env=user.environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0 and done.stdout.endswith("all is well\n"), done.stderr

    code, out, said = user.type("experiment", "list", "-o", "json")
    assert code == 0 and '"done/budget": "2/2"' in out, said
    assert user.type("experiment", "export", "-o", "again.csv")[0] == 0
    assert len((user.folder / "again.csv").read_text().splitlines()) == 6
    code, _, said = user.type("experiment", "export", "--optuna", "cli.db")
    assert code == 0 and "has 5 trials" in said
    (user.folder / "experiment.yml").write_text(
        "name: from files\nparameters: [{name: x, type: double, bounds: {min: 0, max: 1}}]\nmetrics: [{name: y}]\nbudget: 1\n"
    )
    code, out, _ = user.type("create", "experiment", "-o", "name")
    made = out.strip()
    for source in ("again.csv", f"cli.db#{study_name(user)}"):
        code, _, said = user.type("experiment", "import", made, source)
        assert code == 0 and "imported 5 training runs" in said, said
    code, out, _ = user.type("experiment", "list", "-o", "json")
    assert '"done/budget": "0/1"' in out and '"status": "new"' in out
    code, _, said = user.type("experiment", "import", made, "results.xlsx")
    assert code == 2 and "no source of known training runs" in said
    code, _, said = user.type("experiment", "export", made, "-o", "x.xlsx")
    assert code == 2 and "known format" in said


def study_name(user: User) -> str:
    import optuna

    (name,) = optuna.get_all_study_names(f"sqlite:///{user.folder / 'cli.db'}")
    return name
