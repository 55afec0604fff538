"""What Prefect has kept of the flow runs of a user's commands, asked of the embedded server."""

import json
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.users import User
from trialflow.embedded.lease import running_url
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

PATIENCE = 240.0


@dataclass
class FlowRun:
    """One flow run, as it is now: `facts`, `task_runs` and the text of its `log`."""

    facts: dict[str, Any]
    task_runs: list[dict[str, Any]]
    log: str

    @property
    def state(self) -> tuple[str, str]:
        """The type and the message of its state."""
        return self.facts["state"]["type"], self.facts["state"]["message"]


def newest(user: User, name: str, *, until: Callable[[FlowRun], bool] = lambda found: True) -> FlowRun:
    """The newest flow run of this name, as soon as `until` says so: Prefect learns of task runs and of the log a while later."""
    deadline = time.monotonic() + PATIENCE
    while True:
        (facts,) = ask(user, "/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC", "limit": 1})
        only = {"flow_runs": {"id": {"any_": [facts["id"]]}}}
        lines = ask(user, "/logs/filter", {"logs": {"flow_run_id": {"any_": [facts["id"]]}}})
        found = FlowRun(facts, ask(user, "/task_runs/filter", only), "\n".join(line["message"] for line in lines))
        if until(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def ask(user: User, path: str, body: Any) -> Any:
    """Ask the embedded Prefect server of a user's home."""
    home = Home(user.home)
    url = running_url(home.servers / "prefect")
    assert url is not None
    login = b64encode(prefect_auth(home).encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
    address = url.rstrip("/").removesuffix("/api") + "/api" + path
    with urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), headers), timeout=60) as answer:
        return json.loads(answer.read())


def label_of(task_run: dict[str, Any]) -> str:
    """What a task run is about: its name without the step."""
    return task_run["name"].partition(" ")[2]


def edges(task_runs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Which task run comes after which in the graph: pairs of the one before and the one after."""
    by_id = {one["id"]: one for one in task_runs}
    given = [(one, each["id"]) for one in task_runs for inputs in one["task_inputs"].values() for each in inputs if each["input_type"] == "task_run"]
    return [(by_id[before], after) for after, before in given]
