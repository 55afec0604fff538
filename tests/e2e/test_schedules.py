"""A schedule fires: Prefect's scheduler makes flow runs of our deployments, and a worker executes them."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
INTERVAL_SECONDS = 10
PATIENCE_SECONDS = 240


def ask(variables: dict[str, str], path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(variables["PREFECT_API_URL"] + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or "null")


def test_a_schedule_fires_again_and_again(deployed: dict[str, str], tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    parameters = {"run": {"run": "echo y=1", "metrics": {"y": "y=(.*)"}}, "directory": str(model)}
    deployment = ask(deployed, "/deployments/name/training-run/training-run")["id"]
    ask(deployed, f"/deployments/{deployment}/schedules", [{"schedule": {"interval": INTERVAL_SECONDS}, "active": True, "parameters": parameters}])

    wanted = {"flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended: list[dict[str, Any]] = []
    while len(ended) < 2 and time.monotonic() < deadline:
        time.sleep(1)
        ended = ask(deployed, "/flow_runs/filter", wanted)
    assert len(ended) >= 2, "the schedule did not fire twice"
    assert {one["state"]["type"] for one in ended} == {"COMPLETED"}
    assert all(one["auto_scheduled"] for one in ended)
