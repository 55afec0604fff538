"""The compose file: what it starts comes up with its databases on a volume, ends in order, and goes on with what is there.

Where there is no `docker compose`, the engine is given the same by options of `docker run`: whatever the file says has one of these.
"""

import asyncio
import json
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.images import own
from tasks.kubernetes.server.manifests import HOME, PROBE
from tests.waiting import free_port, until

FILE = Path(__file__).parents[2] / "deployments" / "compose" / "compose.yaml"
PATIENCE = 400.0
TIMES = ("interval", "timeout", "start_period")
OPTIONS: dict[str, Callable[[Any], list[str]]] = {
    "network_mode": lambda mode: [f"--network={mode}"],
    "environment": lambda variables: [f"--env={name}={value}" for name, value in variables.items()],
    "volumes": lambda volumes: [f"--volume={one}" for one in volumes],
    "healthcheck": lambda check: [
        f"--health-cmd={shlex.join(check['test'][1:])}",
        *(f"--health-{name.replace('_', '-')}={check[name]}" for name in TIMES),
    ],
    "restart": lambda rule: [f"--restart={rule}"],
    "stop_signal": lambda name: [f"--stop-signal={name}"],
    "stop_grace_period": lambda seconds: [f"--stop-timeout={seconds.removesuffix('s')}"],
    "read_only": lambda flag: [f"--read-only={json.dumps(flag)}"],
    "tmpfs": lambda paths: [f"--tmpfs={path}" for path in paths],
    "cap_drop": lambda names: [f"--cap-drop={name}" for name in names],
    "security_opt": lambda texts: [f"--security-opt={text}" for text in texts],
}


def server() -> dict[str, Any]:
    """The one service of the file."""
    document = yaml.safe_load(FILE.read_text())
    (found,) = document["services"].values()
    assert list(document["volumes"]) == [one.partition(":")[0] for one in found["volumes"]]
    return found


def docker(*arguments: str, seconds: float = 300) -> str:
    """Call Docker: what it printed, also on stderr."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def logs(name: str) -> str:
    """What a container has said."""
    return subprocess.run(["docker", "logs", name], capture_output=True, text=True).stderr


def test_the_image_is_named_by_whoever_starts_it_and_a_stop_takes_no_longer_than_it_may() -> None:
    from deployments.worker import END_SECONDS

    found = server()
    assert set(found) == {"image", "command", *OPTIONS} and set(found["healthcheck"]) == {"test", *TIMES}
    assert found["image"].startswith("${TRIALFLOW_IMAGE:?") and found["command"][:2] == ["trialflow", "up"]
    assert found["healthcheck"]["test"] == ["CMD", "python", "-Ic", PROBE], "what is healthy is the same in a pod"
    assert found["environment"]["TRIALFLOW_HOME"] == HOME and float(found["stop_grace_period"].removesuffix("s")) > END_SECONDS


@pytest.fixture
def container() -> Iterator[str]:
    """What the file starts, under a name and on ports of its own."""
    if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        pytest.skip("no Docker engine answers")
    found, name = server(), f"trialflow-compose-{secrets.token_hex(4)}"
    text = yaml.safe_dump({key: value for key, value in found.items() if key != "image"})
    for port in ("4200", "4201"):
        text = text.replace(port, str(free_port()))
    found = yaml.safe_load(text.replace("data:/", f"{name}:/"))
    options = [option for key, make in OPTIONS.items() for option in make(found[key])]
    image = asyncio.run(own.build())
    try:
        docker("run", "--detach", f"--name={name}", *options, image, *found["command"])
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)
        subprocess.run(["docker", "volume", "rm", name], capture_output=True)


@pytest.mark.cluster
@pytest.mark.slow
def test_what_it_starts_comes_up_ends_in_order_and_is_the_same_when_it_is_started_again(container: str) -> None:
    def is_healthy() -> bool:
        return docker("inspect", "--format", "{{.State.Health.Status}}", container) == "healthy"

    until(is_healthy, lambda: logs(container), PATIENCE, pause=0.5)
    token = docker("exec", container, "trialflow", "token", "--prefect")
    docker("stop", container)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0", logs(container)
    docker("start", container)
    until(is_healthy, lambda: logs(container), PATIENCE, pause=0.5)
    assert docker("exec", container, "trialflow", "token", "--prefect") == token
