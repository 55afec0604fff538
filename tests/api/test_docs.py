"""The examples of docs/python.md and the notebook of examples/, as a user would run them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.users import EXPERIMENT, User

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_the_examples_of_the_page_run_one_after_the_other(user: User) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    assert len(blocks) >= 8
    (user.folder / "page.py").write_text("\n".join(blocks))
    (user.folder / "experiment.yml").write_text(EXPERIMENT.replace("budget: 6", "budget: 2"))
    (user.folder / "model.py").write_text("import sigopt\nsigopt.log_metric('y', sigopt.params.x)\n")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=user.folder, env=user.environment, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "Imported(count=4" in done.stdout and "parameters: missing" in done.stdout
    assert {"results.csv", "study.db", "mlflow.db"} <= {one.name for one in user.folder.iterdir()}


def test_the_notebook_runs_from_its_first_cell_to_its_last(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name in ("tasks.py", "flows.py"):
        (user.folder / name).write_text("raise SystemExit('the user has a module of that name')\n")
    shutil.copy(ROOT / "examples" / "notebook" / "tune.ipynb", user.folder)
    notebook = nbformat.read(user.folder / "tune.ipynb", as_version=4)
    for name in ("SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRIALFLOW_HOME", str(user.home))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(user.folder)}}).execute()
    shown = [outputs_of(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "<td>8/8</td>" in shown[2] and "finished" in shown[2], "the progress, and the experiment itself"
    assert "TrainingRun(id=" in shown[3] and "log_penalty" in shown[4] and json.loads(shown[5])[-1] > 0.7
    assert "Observed(assignments=" in shown[6] and "<td>2/2</td>" in shown[7]
    assert not any("Traceback" in one for one in shown)


def outputs_of(cell: Any) -> str:
    """Everything that a cell shows."""
    found = []
    for output in cell.outputs:
        data = output.get("data") or {}
        found.append(data.get("text/html") or data.get("text/plain") or output.get("text") or "")
    return "".join(found)
