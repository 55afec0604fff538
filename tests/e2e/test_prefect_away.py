"""Prefect only shows what is done: a server of its own that goes away in the middle of an experiment costs no training run and no time."""

import json
import time
from urllib.parse import urlsplit

import pytest

from tests.e2e.flow_runs import newest
from tests.e2e.users import EXPERIMENT, User
from tests.e2e.wire import Wire
from trialflow.embedded.lease import running_url
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home

pytestmark = pytest.mark.slow
AWAY_SECONDS = 32.0
LONGEST_GAP = 20.0
"""Seconds between two launches of training runs of a second, on a busy machine: whoever waited for the server would wait for all of them."""
MODEL = """\
date +%s.%N >> launched
[ -e quick ] || sleep 1
echo "y=$TRIALFLOW_PARAM_X"
"""


def test_a_prefect_server_that_is_away_for_half_a_minute_costs_no_training_run_and_no_slot(user: User) -> None:
    home = Home(user.home)
    url = running_url(home.servers / "prefect")
    assert url is not None
    budget = 80
    user.write(MODEL, experiment=EXPERIMENT.replace("name: e2e", "name: away").replace("budget: 6", f"budget: {budget}"))
    launched = user.folder / "launched"
    with Wire(urlsplit(url).port or 0).running() as wire:
        user.variables |= {"PREFECT_API_URL": f"http://127.0.0.1:{wire.port}/api", "PREFECT_API_AUTH_STRING": prefect_auth(home)}
        process = user.start("optimize", "--no-canary", "-o", "json")
        deadline = time.monotonic() + 120
        while not launched.exists() or len(launched.read_text().splitlines()) < 4:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.1)
        went, wire_was_cut = time.time(), time.monotonic()
        wire.cut()
        time.sleep(AWAY_SECONDS)  # what is tried here is that time passes
        assert process.poll() is None and time.monotonic() - wire_was_cut >= AWAY_SECONDS
        back = time.time()
        wire.mend()
        (user.folder / "quick").touch()
        out, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    summary = json.loads(out)
    assert (summary["done"], summary["failed"], summary["lost"]) == (budget, 0, 0)
    times = sorted(float(line) for line in launched.read_text().splitlines())
    assert len(times) == budget
    moments = [went, *(one for one in times if went <= one <= back), back]
    gaps = [after - before for before, after in zip(moments, moments[1:], strict=False)]
    assert max(gaps) < LONGEST_GAP, gaps
    assert wire.asked and not [path for path in wire.asked if "concurrency" in path]
    kind, message = newest(user, "optimize away").state
    assert kind == "COMPLETED" and message.startswith(f"{budget} of {budget}, best y ")
