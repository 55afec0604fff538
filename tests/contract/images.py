"""Images for the models of tests, made from the registry's python:3.11-slim, once: the registry keeps each under the name of its contents."""

import asyncio
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.images.building import BuildRequest, build_and_push
from tasks.images.errors import EngineUnavailable
from tests import given
from trialflow.home import Home

CLIENT = """\
FROM python:3.11-slim
RUN pip install --no-cache-dir "sigopt>=8.8,<9" "setuptools<81"
"""


def client_image() -> str:
    """An image whose `python3` has the `sigopt` client."""
    return made_image("client", CLIENT)


def made_image(name: str, dockerfile: str, fill: Callable[[Path], object] = lambda folder: None) -> str:
    """The image of a Dockerfile and of the files that `fill` puts beside it, as `repository@sha256:...`. Skips without a registry or an engine."""
    registry = given.registry()
    with tempfile.TemporaryDirectory() as made, one_at_a_time(name):
        folder = Path(made) / "context"
        folder.mkdir()
        (folder / "Dockerfile").write_text(dockerfile)
        fill(folder)
        order = BuildRequest(folder, f"{registry}/trialflow-tests/{name}")
        try:
            reference = asyncio.run(build_and_push(order, home=Home(Path(made) / "home"), on_event=lambda event: None))
        except EngineUnavailable as error:
            pytest.skip(f"there is no Docker engine to make an image with: {error.message}")
        drop(reference.partition("@")[0])
    return reference


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Of several processes that make the image, one does; the others find it in the registry."""
    with (Path(tempfile.gettempdir()) / f"trialflow-tests-{os.getuid()}-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def drop(repository: str) -> None:
    """Take a repository's images out of the Docker engine: the registry has them."""
    fields = "{{.Tag}} {{.Digest}}"
    listed = subprocess.run(["docker", "images", "--digests", "--format", fields, repository], capture_output=True, text=True).stdout
    names = [f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}" for tag, digest in map(str.split, listed.splitlines())]
    if names:
        subprocess.run(["docker", "rmi", *names], capture_output=True)
