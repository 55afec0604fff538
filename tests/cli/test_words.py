"""What the command line says without any server: usage, invalid files, exit codes, and how fast."""

import json
import math
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trialflow.cli.init import TEMPLATES
from trialflow.cli.main import COMMANDS, call


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    for name in ("PREFECT_API_URL", "SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT", "TRIALFLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = call(list(arguments))
    return code, capsys.readouterr().err


def test_a_mistyped_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "optimise") == (
        2,
        "error: there is no command 'optimise'; did you mean `trialflow optimize`?\n",
    )


def test_a_mistyped_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(capsys, "optimize", "--nwe")
    assert code == 2 and "--nwe" in words and "hint: see `trialflow optimize --help`" in words


def test_an_invalid_file_is_told_before_anything_is_started(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "experiment.yml").write_text("name: x\nparametres: []\nmetrics: [{name: m}]\n")
    code, words = said(capsys, "optimize", "--", "true")
    assert code == 2 and 'experiment.yml:2:1: parametres: unknown key; did you mean "parameters"?' in words
    assert not (folder / "home").exists()


def test_nothing_to_run_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(capsys, "run")
    assert code == 2 and "there is nothing to run" in words and "trialflow run python model.py" in words


def test_a_run_file_that_was_named_has_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, words = said(capsys, "run", "-r", "other.yml")
    assert code == 2 and "other.yml:1:1: there is no such file" in words


def test_a_script_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.py").touch()
    code, words = said(capsys, "run", "--", "python3", "modle.py")
    assert code == 2 and "did you mean `model.py`?" in words and not (folder / "home").exists()


def test_init_writes_what_is_valid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "init", "new")[0] == 0
    from trialflow.specs import load_cluster, load_experiment, load_run

    assert load_experiment(folder / "new/experiment.yml").budget and load_run(folder / "new/run.yml").run
    assert load_cluster(folder / "new/cluster.yml").provider == "custom"


@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_init_writes_what_is_missing_and_never_touches_what_is_there(yes: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.py").write_text("mine")
    (folder / "experiment.yaml").write_text("mine")
    (folder / "Dockerfile").symlink_to("elsewhere")
    code, words = said(capsys, "init", *yes)
    assert code == 0 and "kept model.py" in words and "kept experiment.yml" in words and "wrote run.yml" in words and "adapt the new files" in words
    assert (folder / "model.py").read_text() == "mine" and not (folder / "experiment.yml").exists() and not (folder / "elsewhere").exists()
    before = {path: path.lstat().st_mtime_ns for path in folder.iterdir()}
    code, words = said(capsys, "init", *yes)
    assert code == 0 and "wrote" not in words and {path: path.lstat().st_mtime_ns for path in folder.iterdir()} == before


def test_init_where_a_file_is_in_the_way_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    code, words = said(capsys, "init", "file")
    assert code == 2 and "error: cannot create the folder file: File exists" in words


def test_the_model_that_init_writes_runs_by_itself(folder: Path) -> None:
    call(["init"])
    done = subprocess.run([sys.executable, "model.py"], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout.startswith("loss=")


@pytest.mark.parametrize("number", ["0.5", "-1", "1.2e-05", "3.5E-7", "nan", "-inf", "+2."])
def test_the_pattern_that_init_and_the_examples_teach_reads_every_number_whole(number: str) -> None:
    from trialflow.launcher.patterns import expanded
    from trialflow.specs import load_run

    for file in (TEMPLATES / "run.yml", Path(__file__).parents[2] / "examples" / "shell-metric" / "run.yml"):
        for metric, pattern in load_run(file).metrics.items():
            found = re.search(expanded(pattern), f"step 3 {metric}={number} done")
            assert found and found[1] == number and math.isclose(float(found[1]), float(number)) is (number != "nan")


@pytest.mark.parametrize("kind", ["run", "experiment", "cluster"])
def test_the_schema_is_json_on_stdout(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == f"{kind}.yml"


def test_a_taken_port_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, words = said(capsys, "service", "--port", str(port))
    assert code == 1 and f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in words and "hint:" in words


def test_a_home_that_cannot_be_made_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("TRIALFLOW_HOME", str(folder / "file" / "home"))
    code, words = said(capsys, "experiment", "list")
    assert code == 1 and "error:" in words and "TRIALFLOW_HOME" in words and "Traceback" not in words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_imports_nothing_heavy_for_it(command: str) -> None:
    code = (
        "import sys; from trialflow.cli.main import call; code = call([sys.argv[1], '--help']);"
        "heavy = {'prefect', 'sqlalchemy', 'fastapi', 'numpy', 'scipy', 'sigopt', 'rich'} & set(sys.modules); sys.exit(code or len(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
