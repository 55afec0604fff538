import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.images.errors import RegistryRefused
from tasks.images.login import Login, docker_login, login_of
from tests.images.conftest import logged_in


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        ({}, None),
        ({"username": "ada", "password": "x"}, Login("ada", "x")),
        ({"Username": "ada", "Password": "x", "ServerAddress": "r"}, Login("ada", "x")),
        ({"IdentityToken": "t"}, Login(identity_token="t")),
        ({"Username": "<token>", "Password": "t"}, Login(identity_token="t")),
        ({"username": "ada", "password": ""}, None),
    ],
)
def test_an_entry_becomes_a_login(entry: dict, login: Login | None) -> None:
    assert login_of(entry) == login


def test_a_login_never_shows_its_secrets() -> None:
    assert "s3cret" not in repr(Login("ada", "s3cret", "s3cret"))


def test_docker_s_own_logins_are_found(docker_config: Callable[[dict], Path]) -> None:
    docker_config(logged_in("r.example.com:5000", "ada", "a:b"))
    assert docker_login("r.example.com:5000") == Login("ada", "a:b")
    assert docker_login("other.example.com") is None


def test_docker_hub_s_login_is_found_under_its_old_address(docker_config: Callable[[dict], Path]) -> None:
    docker_config(logged_in("https://index.docker.io/v1/"))
    assert docker_login("docker.io") == Login("ada", "correct horse")


def test_no_configuration_is_no_login(docker_config: Callable[[dict], Path]) -> None:
    assert docker_login("r.example.com") is None


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_credential_helpers_are_called(docker_config: Callable[[dict], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    helper = programs / "docker-credential-ours"
    helper.write_text('#!/bin/sh\nread server\necho "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"ada\\",\\"Secret\\":\\"for $server\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    docker_config({"credHelpers": {"r.example.com": "ours"}} if key == "credHelpers" else {"credsStore": "ours"})
    assert docker_login("r.example.com") == Login("ada", "for r.example.com")


@pytest.mark.filterwarnings("ignore:docker-credential-nowhere")
def test_a_helper_that_is_not_there_is_named(docker_config: Callable[[dict], Path]) -> None:
    path = docker_config({"credHelpers": {"r.example.com": "nowhere"}})
    with pytest.raises(RegistryRefused) as caught:
        docker_login("r.example.com")
    assert "docker-credential-nowhere" in caught.value.message and str(path) in caught.value.message


@pytest.mark.parametrize("text", ["{", json.dumps({"auths": {"r": {"auth": "!"}}})])
def test_a_broken_configuration_is_an_error_and_not_no_login(docker_config: Callable[[dict], Path], text: str) -> None:
    path = docker_config({})
    path.write_text(text)
    with pytest.raises(RegistryRefused, match="cannot be read"):
        docker_login("r")
