"""Registries with and without a login, repositories of one's own, a configuration of Docker's."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tasks.images.registry import ACCEPT
from tests import given

USER, PASSWORD = "ada", "correct horse"
HTPASSWD = "ada:$2b$04$H151R5sulbMda6LXuWwWb.fRrwyY/D5mGqGAFM37RXtKBfCf.Xu5q"


@pytest.fixture(scope="session")
def shared_registry() -> str:
    """The registry without TLS and login."""
    return given.registry()


@pytest.fixture
def repository(shared_registry: str) -> Iterator[str]:
    """A repository of one's own in the shared registry; its images are deleted at the end."""
    path = f"images-{secrets.token_hex(4)}/model"
    yield f"{shared_registry}/{path}"
    manifests = f"http://{shared_registry}/v2/{path}/manifests/"
    tags = httpx.get(f"http://{shared_registry}/v2/{path}/tags/list").json().get("tags") or ()
    for digest in {httpx.head(manifests + tag, headers={"Accept": ACCEPT}).headers["docker-content-digest"] for tag in tags}:
        httpx.delete(manifests + digest)


@pytest.fixture(scope="package", autouse=True)
def engine_as_before() -> Iterator[None]:
    """Removes from the engine what these tests have built there."""
    yield
    shared = os.environ.get("TRIALFLOW_TEST_REGISTRY")
    if shared is None or shutil.which("docker") is None:
        return
    fields = "{{.Repository}} {{.Tag}} {{.Digest}}"
    listed = subprocess.run(["docker", "images", "--digests", "--format", fields], capture_output=True, text=True).stdout
    ours = re.compile(rf"{re.escape(shared)}/images-[0-9a-f]{{8}}/|(?!{re.escape(shared)}/)(127\.|10\.)[\d.]+:\d+/(model|other|team)")
    found = [line.split() for line in listed.splitlines() if ours.match(line)]
    names = [f"{name}@{digest}" if tag == "<none>" else f"{name}:{tag}" for name, tag, digest in found]
    if names:
        subprocess.run(["docker", "rmi", *names], capture_output=True)


@pytest.fixture(scope="module")
def locked_registry(start_registry: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry that asks for a name and a password (`Basic`)."""
    file = tmp_path_factory.mktemp("htpasswd") / "htpasswd"
    file.write_text(HTPASSWD + "\n")
    return start_registry(auth={"htpasswd": {"realm": "tests", "path": str(file)}})


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict], Path]:
    """Writes Docker's config.json into a folder of its own and points Docker at it."""
    folder = tmp_path / "docker-config"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))

    def write(configuration: dict) -> Path:
        (folder / "config.json").write_text(json.dumps(configuration))
        return folder / "config.json"

    return write


def logged_in(registry: str, user: str = USER, password: str = PASSWORD) -> dict:
    """A config.json with one login."""
    return {"auths": {registry: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for loopback and the cluster's gateway, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = (folder / "ca.crt", folder / "tls.key")
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=tests"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,IP:10.89.0.1,DNS:localhost"]
    subprocess.run([*words, *names, "-out", str(made[0]), "-keyout", str(made[1])], check=True, capture_output=True)
    return made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with a model, unlike any that was built before."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM python:3.11-slim\nWORKDIR /model\nCOPY . .\nENTRYPOINT ["python"]\nCMD ["model.py"]\nENV DEPTH=3\n')
    (folder / "model.py").write_text(f"print({secrets.token_hex(8)!r})\n")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TRIALFLOW_HOME of one's own."""
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
