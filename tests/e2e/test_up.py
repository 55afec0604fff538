"""A whole story with `trialflow up`: triggering, following, cancelling, suspending, schedules, kills, and `trialflow down` at the end.

The tests share what is up, and run in their order: a schedule that is added first fires while the others work.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from tests.e2e.prefect_pages import new_page, send, send_form, sign_in
from tests.e2e.users import User
from tests.waiting import free_port, until
from trialflow.embedded import is_rising, standing
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

pytestmark = pytest.mark.slow
EXPERIMENT = """\
name: NAME
parameters:
  - {name: x, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: y, strategy: optimize, objective: maximize}
type: random
parallel_bandwidth: 2
budget: BUDGET
"""
WAITING = """\
echo "$TRIALFLOW_RUN_NAME$SIGOPT_RUN_ID" >> started
until [ -e go ]; do sleep 0.1; done
echo "y=$TRIALFLOW_PARAM_X"
"""
PATIENCE = 180.0
ROOT = Path(__file__).parents[2]


class Upped(User):
    """Somebody for whom trialflow is up."""

    def experiment(self, name: str, model: str, budget: int = 4) -> None:
        """Write the files of an experiment."""
        for left in ("go", "started"):
            (self.folder / left).unlink(missing_ok=True)
        self.write(model, experiment=EXPERIMENT.replace("NAME", name).replace("BUDGET", str(budget)))

    def type_slowly(self, *arguments: str) -> tuple[int, str, str]:
        """Type a command that may take minutes on a busy machine."""
        process = self.start(*arguments)
        out, said = process.communicate(timeout=400)
        return process.returncode, out, said

    def worker(self, but: int | None = None) -> psutil.Process | None:
        """The worker's process, another than `but`."""
        found = [one for one in psutil.process_iter() if one.pid != but and self.is_ours(one) and "deployments.worker" in one.cmdline()]
        return found[0] if found else None

    def prefect_server(self) -> psutil.Process:
        """The process of Prefect's server."""
        return next(
            one for one in psutil.process_iter() if self.is_ours(one) and "trialflow.embedded.serving" in one.cmdline() and "prefect" in one.cmdline()
        )

    def is_ours(self, process: psutil.Process) -> bool:
        """Whether a process works for this home."""
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TRIALFLOW_HOME") == str(self.home)
        except psutil.Error:
            return False

    def owner(self, name: str) -> int:
        """The process that works on an experiment."""
        status = self.result(name)["status"]
        return int(status.split("process ")[1].split()[0])

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask Prefect's API of what is up; again, as Prefect's client does, while its database is busy (503)."""
        facts = standing(Home(self.home))
        assert facts is not None
        headers = {"Content-Type": "application/json", "Authorization": "Basic " + b64encode(prefect_auth(Home(self.home)).encode()).decode()}
        request = urllib.request.Request(facts.prefect_url + path, None if body is None else json.dumps(body).encode(), headers)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return json.loads(response.read() or "null")
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() > deadline:
                    raise
            time.sleep(1)

    def flow_runs(self, name: str) -> list[dict[str, Any]]:
        """The flow runs of an experiment, oldest first."""
        return self.ask("/flow_runs/filter", {"flow_runs": {"name": {"any_": [f"optimize {name}"]}}, "sort": "START_TIME_ASC"})

    def cluster_block(self, name: str) -> dict[str, Any]:
        """A cluster that Prefect keeps, with nothing that could be connected to."""
        kind = self.ask("/block_types/slug/trialflow-cluster")
        (schema, *_) = self.ask("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}})
        made = {"name": name, "data": {"cluster_name": name}, "block_type_id": kind["id"], "block_schema_id": schema["id"]}
        return self.ask("/block_documents/", made)

    def until(self, fact: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """What `fact` returns once it is true."""
        return until(fact, what, seconds)

    def started(self) -> list[str]:
        """The training runs that were started, one for each time."""
        file = self.folder / "started"
        return file.read_text().split() if file.exists() else []

    def result(self, name: str) -> dict[str, Any]:
        """The newest experiment of that name."""
        code, out, said = self.type("experiment", "list", "-o", "json")
        assert code == 0, said
        return next(one for one in json.loads(out) if one["name"] == name)


@pytest.fixture(scope="module")
def upped(tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[Path], Path]) -> Iterator[Upped]:
    folder = tmp_path_factory.mktemp("upped") / "model"
    folder.mkdir()
    user = Upped(folder, folder.parent / "home", {"MARK": "of this shell"})
    home = Home(user.home)
    migrated(home.make(home.prefect))
    port = free_port()
    code, _, said = user.type_slowly("up", "--detach", "--port", str(port))
    assert code == 0 and f":{port}" in said, said
    yield user
    user.type_slowly("down")


def test_a_second_up_changes_nothing_and_a_port_that_is_taken_is_told_with_its_holder(upped: Upped, tmp_path: Path) -> None:
    before = standing(Home(upped.home))
    code, _, said = upped.type("up")
    assert code == 0 and "is up already" in said and "nothing was changed" in said
    assert standing(Home(upped.home)) == before
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = User(tmp_path, tmp_path / "home")
        code, _, said = other.type("up", "--port", str(taken.getsockname()[1]))
        assert code == 1 and f"is taken by process {os.getpid()}" in said


@pytest.fixture(scope="module")
def scheduler(upped: Upped) -> Upped:
    """The same user in another folder, whose model stays as it is."""
    folder = upped.folder.with_name("scheduled")
    folder.mkdir()
    return Upped(folder, upped.home)


def test_a_schedule_is_added_listed_paused_and_resumed(scheduler: Upped) -> None:
    upped = scheduler
    upped.experiment("nightly", 'echo "y=$TRIALFLOW_PARAM_X"\n', budget=2)
    assert upped.type("schedule", "add", "--cron", "99 * * * *")[0] == 2
    code, _, said = upped.type("schedule", "add", "--cron", "0 2 * * *", "--learn")
    assert code == 2 and "search is random, which learns from nothing" in said
    soon = datetime.now(ZoneInfo("Europe/Berlin")) + timedelta(minutes=3)
    code, _, said = upped.type("schedule", "add", "--cron", f"{soon.minute} {soon.hour} * * *", "--timezone", "Europe/Berlin")
    assert code == 0 and "schedule nightly was added" in said and "starts anew each time" in said
    assert upped.type("schedule", "pause", "nightly")[0] == 0
    (one,) = json.loads(upped.type("schedule", "list", "-o", "json")[1])
    assert one["name"] == "nightly" and one["timezone"] == "Europe/Berlin" and not one["active"]
    assert upped.type("schedule", "resume", "nightly")[0] == 0


def test_the_same_command_twice_follows_one_flow_run_in_the_shell_of_the_first(upped: Upped) -> None:
    upped.experiment("twice", 'echo "mark=$MARK"\n' + WAITING)
    first = upped.start("optimize", "-o", "json")
    upped.until(upped.started, "nothing was started")
    second = User(upped.folder, upped.home, {"MARK": "another"}).start("optimize")
    assert second.stderr is not None and "at work on it already" in second.stderr.readline()
    (upped.folder / "go").touch()
    out, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0 and json.loads(out)["done"] == 4, said
    shown, said = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0 and shown.startswith("BEST"), said
    assert len(upped.flow_runs("twice")) == 1 and len(upped.started()) == 4
    number = json.loads(out)["best"][0]["id"]
    assert "mark=of this shell" in upped.type("logs", number)[1]


def test_the_exit_code_is_that_of_the_end(upped: Upped) -> None:
    upped.experiment("broken", "echo oops; exit 7\n")
    code, _, said = upped.type_slowly("optimize", "--stop-after-failures", "2")
    assert code == 3 and "failed in a row" in said and "hint:" in said


def test_a_detached_experiment_is_followed_cancelled_and_goes_on(upped: Upped) -> None:
    upped.experiment("left", WAITING)
    code, out, said = upped.type_slowly("optimize", "--detach")
    number = upped.result("left")["id"]
    assert code == 0 and out == f'Started "experiment/{number}"\n', said
    assert f"trialflow follow {number}" in said and f"trialflow experiment stop {number}" in said
    upped.until(upped.started, "nothing was started")
    (flow_run,) = upped.flow_runs("left")
    following = upped.start("follow", flow_run["id"])
    time.sleep(3)  # it may join at any moment: before the end, or after it
    upped.ask(f"/flow_runs/{flow_run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    _, said = following.communicate(timeout=PATIENCE)
    assert following.returncode == 130 and "nothing is lost" in said, said
    assert upped.flow_runs("left")[0]["state"]["type"] == "CANCELLED"
    (upped.folder / "go").touch()
    code, _, said = upped.type_slowly("optimize")
    assert code == 0 and upped.result("left")["done/budget"] == "4/4", said


def test_a_suspended_experiment_starts_nothing_and_a_resume_adopts_what_runs(upped: Upped) -> None:
    upped.experiment("suspended", WAITING)
    assert upped.type("optimize", "--detach", "--no-canary")[0] == 0
    upped.until(lambda: len(upped.started()) == 2, "two training runs")
    (flow_run,) = upped.flow_runs("suspended")
    process = psutil.Process(upped.owner("suspended"))
    suspended = {"type": "PAUSED", "name": "Suspended", "state_details": {"pause_reschedule": True, "pause_timeout": "2100-01-01T00:00:00Z"}}
    upped.ask(f"/flow_runs/{flow_run['id']}/set_state", {"state": suspended})
    upped.until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "the flow's process stays")
    (upped.folder / "go").touch()
    time.sleep(2)
    assert len(upped.started()) == 2, "something was started while it was suspended"
    assert upped.flow_runs("suspended")[0]["state"]["name"] == "Suspended"
    upped.ask(f"/flow_runs/{flow_run['id']}/resume", {})
    code, _, said = upped.type_slowly("follow", flow_run["id"])
    assert code == 0, said
    assert len(upped.started()) == 4 and upped.result("suspended")["done/budget"] == "4/4"
    assert len(upped.flow_runs("suspended")) == 1


def test_a_worker_that_is_killed_is_started_again_and_its_flow_runs_go_on(upped: Upped) -> None:
    upped.experiment("killed", WAITING)
    assert upped.type("optimize", "--detach")[0] == 0
    upped.until(upped.started, "nothing was started")
    worker = upped.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    upped.until(lambda: upped.worker(but=worker.pid), "no new worker")
    (upped.folder / "go").touch()
    code, _, said = upped.type_slowly("follow")
    assert code == 0 and upped.result("killed")["done/budget"] == "4/4", said
    assert len(upped.started()) == 4


def test_whoever_follows_goes_on_with_the_flow_run_that_takes_up_a_crashed_one_and_finds_a_server_that_was_away(upped: Upped) -> None:
    upped.experiment("crashed", WAITING)
    assert upped.type("optimize", "--detach", "--no-canary")[0] == 0
    following = upped.start("follow")
    said: list[str] = []
    hung = threading.Timer(2 * PATIENCE, following.kill)
    hung.start()

    def until_said(words: str) -> None:
        while not said or words not in said[-1]:
            said.append(following.stderr.readline())  # type: ignore[union-attr]
            assert said[-1], said

    until_said("watch:")
    upped.until(lambda: len(upped.started()) == 2, "two training runs")
    os.kill(upped.owner("crashed"), signal.SIGKILL)
    until_said("goes on with the experiment")
    until_said("resumes")
    upped.prefect_server().kill()
    until_said("answers again")
    (upped.folder / "go").touch()
    out, rest = following.communicate()
    hung.cancel()
    assert following.returncode == 0 and out.startswith("BEST"), "".join(said) + rest
    assert sum("does not answer" in line for line in said) == 1, said
    assert len(upped.started()) == 4, "models that ran were adopted"
    first, *later = [one["state"]["type"] for one in upped.flow_runs("crashed")]
    assert first == "CRASHED" and later[-1] == "COMPLETED"


@pytest.fixture(scope="module")
def lost(upped: Upped) -> Upped:
    """The same user in another folder, whose flow run is killed together with its worker."""
    folder = upped.folder.with_name("lost")
    folder.mkdir()
    return Upped(folder, upped.home)


def test_worker_and_flow_are_killed(lost: Upped) -> None:
    lost.experiment("lost", WAITING)
    assert lost.type("optimize", "--detach", "--no-canary")[0] == 0
    lost.until(lambda: len(lost.started()) == 2, "two training runs")
    (flow_run,) = lost.flow_runs("lost")
    heard = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "any_resource": {"id": [f"prefect.flow-run.{flow_run['id']}"]}}
    lost.until(lambda: lost.ask("/events/filter", {"filter": heard})["total"], "no heartbeat")
    worker = lost.worker()
    assert worker is not None
    for number in (worker.pid, lost.owner("lost")):
        os.kill(number, signal.SIGKILL)
    lost.until(lambda: lost.worker(but=worker.pid), "no new worker")


def test_prefects_own_command_triggers_and_the_server_refuses_bad_parameters(upped: Upped) -> None:
    upped.experiment("typed", 'echo "y=$TRIALFLOW_PARAM_X"\n', budget=2)
    facts = standing(Home(upped.home))
    assert facts is not None
    variables = {**upped.environment, "PREFECT_API_URL": facts.prefect_url, "PREFECT_API_AUTH_STRING": prefect_auth(Home(upped.home))}
    made = subprocess.run([sys.executable, "-m", "deployments.parameters", upped.folder], capture_output=True, text=True, check=True, cwd=ROOT)
    command = [str(Path(sys.executable).with_name("prefect")), "deployment", "run", "optimize/optimize", "--params", "-"]
    good = subprocess.run([*command, "--watch"], env=variables, input=made.stdout, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert good.returncode == 0, good.stdout + good.stderr
    assert upped.result("typed")["done/budget"] == "2/2"
    bad = json.dumps({**json.loads(made.stdout), "run": {"run": "true", "aws": {"aws_access_key_id": "A", "aws_secret_access_key": "hidden"}}})
    refused = subprocess.run(command, env=variables, input=bad, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert refused.returncode != 0 and "aws" in refused.stdout + refused.stderr


def test_a_link_into_prefects_ui_signs_in_first_and_a_retry_there_spends_no_second_budget(upped: Upped, browser: Any) -> None:
    facts, password, (flow_run,) = standing(Home(upped.home)), prefect_auth(Home(upped.home)), upped.flow_runs("typed")
    assert facts is not None
    elsewhere: list[str] = []
    own = (facts.ui_url.removesuffix("/v2"), "data:", "blob:")

    def retry() -> None:
        page = pages.enter_context(new_page(browser))  # nobody is signed in there
        page.on("response", lambda response: response.url.startswith(own) or elsewhere.append(response.url))
        page.on("requestfailed", lambda request: "csp" in (request.failure or "") or request.url.startswith(own) or elsewhere.append(request.url))
        page.goto(f"{facts.ui_url}/runs/flow-run/{flow_run['id']}")
        sign_in(page, password)
        page.get_by_role("tab", name="Artifacts").click()
        for kind in ("report", "best", "progress", "training-runs"):
            page.get_by_text(f"typed-{kind}", exact=True).wait_for()
        page.get_by_role("button", name="Open menu").first.click()
        page.get_by_role("menuitem", name="Retry").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Retry").click()

    with ExitStack() as pages:
        send(retry, received=lambda: upped.flow_runs("typed")[0]["run_count"] == 2)
    upped.until(lambda: upped.flow_runs("typed")[0]["state"]["type"] == "COMPLETED", "the retry does not end")
    assert upped.result("typed")["done/budget"] == "2/2" and len(upped.flow_runs("typed")) == 1
    assert elsewhere == []


def choose_in_older(page: Any, name: str) -> None:
    """Choose a block in the form of Prefect's older UI."""
    page.locator(".block-document-input__select").click()
    page.keyboard.press("ArrowDown")
    page.locator(".p-select-option", has_text=name).click()


def choose_in_newer(page: Any, name: str) -> None:
    """Choose a block in the form of Prefect's newer UI."""
    page.get_by_text("Select a block").click()
    page.get_by_role("option", name=name).click()


def test_a_block_is_chosen_in_the_form_of_either_ui_and_only_the_reference_is_kept(upped: Upped, browser: Any) -> None:
    facts, password = standing(Home(upped.home)), prefect_auth(Home(upped.home))
    assert facts is not None
    (deployment,) = upped.ask("/deployments/filter", {"deployments": {"name": {"any_": ["cluster-test"]}}})
    made = []
    for name, ui, choose in (("older", facts.ui_url.removesuffix("/v2"), choose_in_older), ("newer", facts.ui_url, choose_in_newer)):
        block = upped.cluster_block(name)
        with new_page(browser) as page:
            flow_run = send_form(page, ui, deployment["id"], password, fill_in=partial(choose, name=name), ask=upped.ask)
        assert flow_run["parameters"] == {"cluster": {"$ref": {"block_document_id": block["id"]}}}
        made.append(flow_run["id"])
    names = ["cluster-test older", "cluster-test newer"]
    wanted = {"flow_runs": {"id": {"any_": made}, "name": {"any_": names}}}
    upped.until(lambda: len(upped.ask("/flow_runs/filter", wanted)) == 2, "no flow run has found the block's name", 2 * PATIENCE)


def test_the_form_of_an_experiment_has_a_title_on_every_field_and_one_text_for_the_command(upped: Upped, browser: Any) -> None:
    facts, password = standing(Home(upped.home)), prefect_auth(Home(upped.home))
    assert facts is not None
    upped.experiment("unused", "")
    (deployment,) = upped.ask("/deployments/filter", {"deployments": {"name": {"any_": ["optimize"]}}})
    labels: list[str] = []

    def fill_in(page: Any) -> None:
        add = page.get_by_role("button", name="Add item")
        add.nth(1).click()
        page.get_by_text("Objective (Optional)").wait_for()
        add.nth(0).click()
        page.get_by_role("button", name="Select Type").first.click()
        page.get_by_role("option", name="double").click()
        page.get_by_role("tab", name="Bounds").click()
        for label, value in (
            ("Min", "0"),
            ("Max", "1"),
            ("Budget (Optional)", "1"),
            ("Directory", str(upped.folder)),
            ("Command", '["touch", "$HOME"]'),
        ):
            page.get_by_label(label, exact=True).fill(value)
        for place, value in enumerate(("filled-in", "x", "y")):
            page.get_by_label("Name", exact=True).nth(place).fill(value)
        labels[:] = page.locator("form label").all_inner_texts()

    with new_page(browser) as page:
        flow_run = send_form(page, facts.ui_url, deployment["id"], password, fill_in=fill_in, ask=upped.ask)
    schema = deployment["parameter_openapi_schema"]
    shown = [schema["definitions"][name] for name in ("ExperimentSpec", "ParameterSpec", "BoundsSpec", "MetricSpec", "Resources", "Options")]
    titles = [field["title"] for group in (schema, schema["properties"]["run"], *shown) for field in group["properties"].values()]
    assert all(label.strip() for label in labels)
    assert set(titles) <= {label.removesuffix(" (Optional)") for label in labels}
    assert "Command" in labels, "it is required"
    (parameter,) = flow_run["parameters"]["experiment"]["parameters"]
    filled_in = {name: value for name, value in parameter.items() if value is not None}
    assert filled_in == {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
    assert flow_run["parameters"]["run"]["run"] == '["touch", "$HOME"]'
    upped.until((upped.folder / "$HOME").exists, "the words were not executed without a shell")


def test_the_schedule_has_fired_meanwhile(scheduler: Upped) -> None:
    upped = scheduler
    upped.until(lambda: [one for one in upped.flow_runs("nightly") if one["state"]["type"] == "COMPLETED"], "the schedule did not fire")
    assert json.loads(upped.type("schedule", "list", "-o", "json")[1])[0]["last"] == "Completed"
    assert upped.result("nightly")["done/budget"] == "2/2"
    assert upped.type("schedule", "remove", "nightly")[0] == 0
    assert json.loads(upped.type("schedule", "list", "-o", "json")[1]) == []


def test_what_was_killed_goes_on_by_itself_in_the_same_flow_run_with_the_exact_budget(lost: Upped) -> None:
    (lost.folder / "go").touch()
    lost.until(lambda: lost.flow_runs("lost")[0]["state"]["type"] == "COMPLETED", "the flow run does not go on to its end", 4 * PATIENCE)
    assert len(lost.flow_runs("lost")) == 1
    assert lost.result("lost")["done/budget"] == "4/4" and len(lost.started()) == 4, "models that ran were adopted"


def test_down_ends_everything_in_order(upped: Upped) -> None:
    upped.experiment("at-work", WAITING)
    assert upped.type("optimize", "--detach")[0] == 0
    upped.until(upped.started, "nothing was started")
    code, _, said = upped.type_slowly("down")
    assert code == 0 and "everything is down" in said
    assert "stopped with 0 of 4 training runs done" in (upped.home / "logs" / "flow-runs.log").read_text(), "the flow run did not end in order"
    assert standing(Home(upped.home)) is None and not is_rising(Home(upped.home))
    upped.until(lambda: not [process for process in psutil.process_iter() if upped.is_ours(process)], "something is left running")
    assert upped.type("down")[0] == 0
    (upped.folder / "go").touch()
    code, _, said = upped.type_slowly("optimize")  # in its own process again
    assert code == 0 and "4/4" in said, said
