"""The folder of a model, and the project of its experiments."""

from pathlib import Path

import pytest

from tasks.projects import model_folder, named_folder, project_id
from trialflow.errors import InvalidInput


def test_a_deployment_needs_the_folder_and_a_command_has_the_present_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_folder(None, is_deployed=False) == model_folder(str(tmp_path), is_deployed=True) == tmp_path
    with pytest.raises(InvalidInput, match="without `directory`") as refused:
        model_folder(None, is_deployed=True)
    assert refused.value.hint and "absolute path" in refused.value.hint
    with pytest.raises(InvalidInput, match="does not exist"):
        model_folder(str(tmp_path / "gone"), is_deployed=True)


@pytest.mark.parametrize(("name", "expected"), [("My Model", "mymodel"), ("α", "default"), ("a" * 40, "a" * 32), ("x_1.2-3", "x_1.2-3")])
def test_a_project_is_called_after_its_folder(name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGOPT_PROJECT", raising=False)
    assert project_id(None, Path("/somewhere") / name) == expected
    with pytest.raises(InvalidInput, match="cannot be a project id"):
        project_id(name + "!", Path("/"))


def test_a_folder_whose_model_is_in_an_image_need_not_be_named_nor_be_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGOPT_PROJECT", raising=False)
    assert named_folder(None, is_deployed=True) is None and project_id(None, None) == "default"
    assert named_folder(str(tmp_path / "Gone"), is_deployed=True) == tmp_path / "Gone" and project_id(None, tmp_path / "Gone") == "gone"
