"""What is changed from a page of the service, in a real browser: running the best again, stopping a single training run."""

import pytest

from tests.pages.conftest import Watched
from tests.pages.experiments import FLOW_RUN
from trialflow.metadata_keys import REASON, STOPPED_BY_USER

pytestmark = pytest.mark.slow


def test_the_best_is_run_again_once_that_was_confirmed(watched: Watched) -> None:
    service = watched.site.service
    experiment = service.experiment(name="again", budget=3)
    page = watched.go(f"experiments/{experiment['id']}")
    page.get_by_role("button", name="Run the best again…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("No training run has a result yet.").wait_for()
    dialog.get_by_role("button", name="Queue it").click()
    dialog.get_by_role("alert").get_by_text("No training run has a result yet").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    watched.problems[:] = [one for one in watched.problems if "400 (Bad Request)" not in one]
    runs = [service.end(run := service.run(experiment), value) and run for value in (0.25, 0.75)]
    page.get_by_text("m 0.75").first.wait_for()
    page.get_by_role("button", name="Run the best again…").click()
    dialog.locator("option", has_text=f"training run {runs[1]['id']}: m 0.75").wait_for(state="attached")
    dialog.get_by_role("button", name="Cancel").click()
    third = service.run(experiment)
    assert third["assignments"] != runs[1]["assignments"], "nothing was queued before it was confirmed"
    service.end(third, 0.5)
    page.get_by_role("button", name="Run the best again…").click()
    dialog.get_by_role("button", name="Queue it").click()
    dialog.get_by_text("The budget is spent, so raise that too.").wait_for()
    service.call("PUT", f"aiexperiments/{experiment['id']}", {"budget": 5})
    assert service.run(experiment)["assignments"] == runs[1]["assignments"]
    watched.go(f"training-runs/{runs[0]['id']}").get_by_role("button", name="Run it again…").click()
    page.get_by_role("dialog").get_by_role("button", name="Queue it").click()
    page.get_by_text("Queued. The next training run gets it.", exact=True).wait_for()
    assert service.run(experiment)["assignments"] == runs[0]["assignments"]


def test_a_single_training_run_is_stopped_if_somebody_executes_it(watched: Watched) -> None:
    service = watched.site.service
    experiment = service.experiment(name="one of them")
    workers = f"aiexperiments/{experiment['id']}/workers"
    worker = service.call("POST", workers, {"token": "t" * 16, "holder": {"host": "here", "pid": 1}})
    header = {"X-Trialflow-Worker": f"{worker['id']}.{'t' * 16}"}
    run = service.raw("POST", f"aiexperiments/{experiment['id']}/training_runs", json={"name": "run-1"}, headers=header).json()
    page = watched.go(f"training-runs/{run['id']}")
    assert page.get_by_role("button", name="Run it again…").count() == 0
    page.get_by_role("button", name="Stop…").click()
    assert service.call("GET", f"training_runs/{run['id']}")["state"] == "active", "it asks first"
    page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("It has failed: stopped by the user.").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.locator(".badge", has_text="failed").wait_for()
    page.get_by_role("button", name="Run it again…").wait_for()
    assert page.get_by_role("button", name="Stop…").count() == 0
    kept = service.call("GET", f"training_runs/{run['id']}")
    assert (kept["state"], kept["dev_metadata"][REASON]) == ("failed", STOPPED_BY_USER)
    assert service.raw("PUT", f"{workers}/{worker['id']}", json={}, headers=header).json()["stopped_runs"] == [run["id"]]
    by_hand = service.run(experiment)
    watched.go(f"training-runs/{by_hand['id']}").locator(".badge", has_text="running").wait_for()
    assert page.get_by_role("button", name="Stop…").count() == 0, "nobody would end it"


def test_cost_and_the_flow_run_are_shown_where_they_are_known(watched: Watched) -> None:
    identifier = watched.site.ids["mixed"]
    page = watched.go(f"experiments/{identifier}")
    assert "$1.36" in page.locator(".fact", has_text="Cost").inner_text()
    link = page.get_by_role("link", name=FLOW_RUN)
    assert link.get_attribute("href") == f"https://prefect.example.org/runs/flow-run/{FLOW_RUN}"
    assert "noreferrer" in (link.get_attribute("rel") or "")
    page.locator("table.runs a[href*=training-runs]").nth(5).click()
    page.get_by_text("$0.04").wait_for()
    page.get_by_text("for 40s at $3.6 an hour").wait_for()
    assert page.get_by_role("link", name=FLOW_RUN).count() == 1
    watched.go(f"experiments/{identifier}").locator("table.runs a[href*=training-runs]").first.click()
    page.get_by_text("trialflow cluster kubectl --cluster-name gpus describe job run-ab12cd34").wait_for()
    watched.go("").locator("tr", has_text="image classifier, wider").get_by_text("$1.36").wait_for()
    assert watched.go(f"experiments/{watched.site.ids['front']}").locator(".fact", has_text="Cost").count() == 0
