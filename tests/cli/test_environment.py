"""What a shell may have set or lost that is in the way."""

from pathlib import Path

import pytest

from trialflow.api.environment import gone_service, ignored_variable, unset
from trialflow.cli.main import call

GONE = "https://api.sigopt.com"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    for name in ("SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT", "TRIALFLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "token", "gone", "ignored"),
    [
        (None, None, None, None),
        (GONE, "t", GONE, None),
        ("api.sigopt.com", "t", "api.sigopt.com", None),
        (GONE, None, None, "SIGOPT_API_URL"),
        (None, "t", None, "SIGOPT_API_TOKEN"),
        ("https://sigopt.example.com", "t", None, None),
        ("https://notsigopt.com", "t", None, None),
        ("http://127.0.0.1:8080", "t", None, None),
    ],
)
def test_the_service_that_is_gone_and_a_variable_that_is_alone_are_recognized(
    url: str | None, token: str | None, gone: str | None, ignored: str | None
) -> None:
    environ = {name: value for name, value in (("SIGOPT_API_URL", url), ("SIGOPT_API_TOKEN", token)) if value}
    assert (gone_service(environ), ignored_variable(environ)) == (gone, ignored)


def test_only_what_is_set_is_to_be_unset() -> None:
    assert unset({"SIGOPT_API_TOKEN": "t"}).startswith("`unset SIGOPT_API_TOKEN`")
    assert unset({"SIGOPT_API_TOKEN": "t", "SIGOPT_API_URL": GONE}).startswith("`unset SIGOPT_API_URL SIGOPT_API_TOKEN`")


def test_the_service_that_is_gone_is_told_before_anything_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGOPT_API_URL", GONE)
    monkeypatch.setenv("SIGOPT_API_TOKEN", "secret-token")
    assert call(["experiment", "list"]) == 2
    words = capsys.readouterr().err
    assert "has been shut down" in words and "unset SIGOPT_API_URL SIGOPT_API_TOKEN" in words and "secret-token" not in words
    assert not (folder / "home").exists()
    assert call(["version"]) == 0


def test_a_folder_that_was_deleted_is_told(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["optimize"], ["init"], ["experiment", "list"]):
        assert call(command) == 2
        assert "error: the current folder no longer exists" in capsys.readouterr().err


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TRIALFLOW_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert call(["experiment", "list"]) == 1
    words = capsys.readouterr().err
    assert "this user has no home folder" in words and "set TRIALFLOW_HOME" in words
