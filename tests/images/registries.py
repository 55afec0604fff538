"""Real registries beside the shared one, each a process on this machine for one module."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def start_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts a registry with more lines of configuration; returns its `host:port`."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    started = []

    def start(*, host: str = "127.0.0.1", tls: tuple[Path, Path] | None = None, auth: dict | None = None) -> str:
        folder = tmp_path_factory.mktemp("registry")
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        http: dict = {"addr": f"{host}:{port}", "secret": "x"}
        if tls:
            http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        storage = {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}}
        configuration = {"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": http}
        if auth:
            configuration["auth"] = auth
        (folder / "config.yml").write_text(json.dumps(configuration))
        with (folder / "log").open("wb") as log:
            started.append(subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and started[-1].poll() is None:
            try:
                with socket.create_connection((host, port), timeout=1):
                    return f"{host}:{port}"
            except OSError:
                time.sleep(0.02)
        raise RuntimeError((folder / "log").read_text())

    yield start
    for process in started:
        process.kill()
        process.wait()
