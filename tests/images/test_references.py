import pytest

from tasks.images.login import Login
from tasks.images.references import parse
from tasks.images.repository import image_name, repository_of
from trialflow.errors import InvalidInput

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "complete", "version"),
    [
        ("python", "docker.io/library/python", "latest"),
        ("python:3.11", "docker.io/library/python:3.11", "3.11"),
        ("ada/model", "docker.io/ada/model", "latest"),
        ("index.docker.io/python:3", "docker.io/library/python:3", "3"),
        ("localhost/model", "localhost/model", "latest"),
        ("localhost:5000/model:1", "localhost:5000/model:1", "1"),
        ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1", "v1"),
        (f"ghcr.io/a/b:v1@{DIGEST}", f"ghcr.io/a/b:v1@{DIGEST}", DIGEST),
        (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", DIGEST),
        ("[::1]:5000/model", "[::1]:5000/model", "latest"),
    ],
)
def test_short_names_are_completed_as_docker_does(text: str, complete: str, version: str) -> None:
    assert (str(parse(text)), parse(text).version) == (complete, version)


def test_docker_hubs_api_is_on_another_host() -> None:
    assert parse("python").host == "registry-1.docker.io"
    assert parse("ghcr.io/a/b").host == "ghcr.io"


@pytest.mark.parametrize("text", ["", "Model", "https://ghcr.io/a/b", "a b", "a:", "a@sha256:12"])
def test_what_is_no_image_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("name", "registry", "login", "repository"),
    [
        ("team/my_model", "10.0.0.1:5000", None, "10.0.0.1:5000/team/my_model"),
        ("m", "ghcr.io/team/", None, "ghcr.io/team/m"),
        ("m", None, Login("Ada", "x"), "docker.io/ada/m"),
        ("m", "docker.io", Login("ada", "x"), "docker.io/ada/m"),
        ("m", "docker.io/team", None, "docker.io/team/m"),
    ],
)
def test_the_repository_is_below_the_registry_or_the_users_on_docker_hub(name: str, registry: str, login: Login, repository: str) -> None:
    assert repository_of(name, registry=registry, hub_login=login) == repository


@pytest.mark.parametrize("login", [None, Login("", identity_token="t")])
def test_without_registry_and_docker_hub_user_it_is_said_how_to_name_one(login: Login | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        repository_of("m", registry=None, hub_login=login)
    assert "--registry" in (caught.value.hint or "") and "docker login" in (caught.value.hint or "")


def test_a_registry_with_a_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="without https://"):
        repository_of("m", registry="https://ghcr.io/a")


@pytest.mark.parametrize(("name", "image"), [("Über Modell", "ber-modell"), ("___", "model"), ("a--b", "a-b"), ("x" * 200, "x" * 100)])
def test_any_folder_name_becomes_an_image_name(name: str, image: str) -> None:
    assert image_name(name) == image
