"""What is the model's and what is trialflow's on a command line, and which files are meant."""

from pathlib import Path
from typing import Any

import click
import pytest

from trialflow.cli.main import call, trialflow
from trialflow.cli.options import read_run, same_options
from trialflow.errors import InvalidInput

COMMANDS = ("run", "optimize", "cluster run", "cluster test-run", "cluster optimize")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(name: str, *arguments: str) -> click.Context:
    """What click makes of a command line, without executing it."""
    command: click.Command = trialflow
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command.make_context(f"trialflow {name}", list(arguments))


def parsed(name: str, *arguments: str) -> dict[str, Any]:
    return typed(name, *arguments).params


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("before", [[], ["--"], ["-p", "mine", "--"], ["-p", "mine"]])
@pytest.mark.parametrize(
    "model", [["python", "model.py", "--epochs", "5"], ["./m", "-p", "5", "-o", "name", "--new", "--help"], ["m", "--", "--", "-x"]]
)
def test_everything_after_the_first_word_of_the_command_is_the_models(name: str, before: list[str], model: list[str]) -> None:
    found = parsed(name, *before, *model)
    assert list(found["command"]) == model
    assert found["output"] == "table" and found["project"] == ("mine" if before[:1] == ["-p"] else None)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_before_the_command_is_trialflows_to_refuse(name: str) -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(name, "--epochs", "5", "python")


def test_a_file_that_is_called_yaml_is_found_and_yml_comes_first(folder: Path) -> None:
    assert parsed("optimize")["experiment_file"] == "experiment.yml"
    (folder / "experiment.yaml").touch()
    (folder / "run.yaml").touch()
    found = parsed("optimize")
    assert (found["experiment_file"], found["run_file"]) == ("experiment.yaml", "run.yaml")
    (folder / "experiment.yml").touch()
    assert parsed("optimize")["experiment_file"] == "experiment.yml"
    assert parsed("optimize", "-e", "other.yml")["experiment_file"] == "other.yml" and parsed("optimize", "-e", "")["experiment_file"] == ""


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("optimize experiment.yaml", "trialflow optimize -e experiment.yaml"),
        ("optimize ex/tune.yml", "trialflow optimize -e ex/tune.yml"),
        ("optimize run.yml", "trialflow optimize -r run.yml"),
        ("run best.yml", "trialflow run -r best.yml"),
    ],
)
def test_a_file_in_the_place_of_a_command_is_answered_with_the_right_command(
    command: str, meant: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = call(command.split())
    assert code == 2 and f"hint: did you mean `{meant}`?" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n"])
def test_an_empty_run_file_with_a_command_is_as_good_as_none(text: str, folder: Path) -> None:
    (folder / "run.yml").write_text(text)
    with typed("run"):
        assert read_run("run.yml", ("echo", "hi"), directory=folder).run == ["echo", "hi"]
        with pytest.raises(InvalidInput, match="the file is empty"):
            read_run("run.yml", (), directory=folder)


@pytest.mark.parametrize(
    ("name", "arguments", "again"),
    [
        ("optimize", [], "trialflow optimize"),
        ("optimize", ["-p", "mine", "-e", "my file.yml", "-r", "r.yml"], "trialflow optimize -e 'my file.yml' -r r.yml -p mine"),
        ("optimize", ["--new", "--no-canary", "--stop-after-failures", "2"], "trialflow optimize --no-canary --stop-after-failures 2"),
        ("optimize", ["-s", "m.py", "python", "m.py", "--name", "a b"], "trialflow optimize -s m.py -- python m.py --name 'a b'"),
        ("cluster optimize", ["-n", "big", "-d", "D", "x"], "trialflow cluster optimize -n big -d D -- x"),
    ],
)
def test_the_command_that_resumes_has_every_option_but_new(name: str, arguments: list[str], again: str) -> None:
    with typed(name, *arguments) as context:
        assert same_options(context.command_path, without=["new"]) == again


@pytest.mark.parametrize("words", [["12", "--parallel", "3", "python", "m.py", "-r", "x"], ["--parallel", "3", "12", "python", "m.py", "-r", "x"]])
def test_the_id_of_an_experiment_to_join_comes_before_the_options_or_after_them(words: list[str]) -> None:
    found = parsed("start-worker", *words)
    identifier, command = (found["identifier"], found["command"]) if found["identifier"] else (found["command"][0], found["command"][1:])
    assert (identifier, found["parallel"], command, found["run_file"]) == ("12", 3, ("python", "m.py", "-r", "x"), "run.yml")
