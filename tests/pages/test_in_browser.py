"""Pages in a real browser: what is drawn, what can be clicked, and that nothing goes wrong on them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.pages.conftest import SECONDS, Watched
from tests.pages.experiments import HOSTILE
from tests.pages.prefix import proxied

pytestmark = pytest.mark.slow
PLACE = "({_fullLayout: {xaxis, yaxis}}) => [xaxis._offset + xaxis.d2p(3), yaxis._offset, yaxis._length]"
"""Where the fourth axis is: its x, its top and its height in the picture."""
TRIALFLOW = [sys.executable, "-m", "trialflow"]


def of(watched: Watched, name: str, query: str = "") -> Any:
    return watched.go(f"experiments/{watched.site.ids[name]}{query}")


def numbers(page: Any) -> list[str]:
    return [text.split()[0] for text in page.locator("table.runs tbody tr td:first-child").all_inner_texts()]


def test_an_experiment_in_progress_shows_every_state_and_why(watched: Watched) -> None:
    page = of(watched, "mixed")
    for group in ("best", "history", "coordinates", "against", "checkpoints", "importances"):
        watched.drawn(group)
    legend = watched.drawn("history").locator(".legendtext").all_text_contents()
    assert set(legend) == {"completed", "stopped early", "failed", "running", "lost and launched again"}
    reasons = page.locator("[data-part=reasons]").inner_text()
    assert "CUDA out of memory" in reasons and "evicted" in reasons
    facts = page.locator(".facts .big").all_inner_texts()
    assert facts == ["27", "4", "3", "4", "3", "$1.36"]
    page.get_by_text("expected highest at").wait_for()


def test_two_metrics_have_a_front_and_conditionals_a_place_for_what_is_not_active(watched: Watched) -> None:
    of(watched, "front")
    assert "Pareto front" in watched.drawn("front").locator(".legendtext").all_text_contents()
    assert watched.drawn("front").locator(".shapelayer path").count() == 1, "the threshold"
    of(watched, "conditional")
    assert "not active" in " ".join(watched.drawn("coordinates").locator(".annotation-text").all_text_contents())


def test_the_best_keeps_the_threshold_of_a_constraint(watched: Watched) -> None:
    page = of(watched, "constrained")
    said = page.get_by_label("Best", exact=True).inner_text()
    latency = float(re.search(r"latency_ms ([\d.]+)", said)[1])  # type: ignore[index]
    rows = page.locator("table.runs tbody tr td:nth-child(4)").all_inner_texts()
    assert 0 < latency <= 40 and any(float(one) > 40 for one in rows), "a better one beyond the threshold is not the best"
    watched.drawn("history").locator("select").select_option("latency_ms")
    page.get_by_text("latency_ms of each training run in its order").wait_for()
    watched.drawn("history").locator(".shapelayer path").first.wait_for(state="attached")


def test_an_empty_experiment_says_so(watched: Watched) -> None:
    page = of(watched, "empty")
    page.get_by_text("No training run yet.").wait_for()
    page.get_by_text("Nothing to draw yet.").first.wait_for()


def test_hostile_names_and_logs_are_shown_as_text(watched: Watched) -> None:
    page = of(watched, "hostile")
    for group in ("best", "history", "coordinates", "against", "checkpoints"):
        watched.drawn(group)
    assert page.locator("h1").inner_text().startswith("<img src=x onerror=")
    assert page.locator("img, main script").count() == 0
    page.locator("table.runs a[href*=training-runs]").first.click()
    page.locator("pre").first.wait_for(state="attached")
    assert HOSTILE[:40] in page.locator("pre").first.inner_text()
    assert "\x1b" not in page.content() and "\u202e" not in page.content()
    watched.drawn("checkpoints")
    watched.go("").locator("table").wait_for()


def test_two_thousand_training_runs_come_in_pages_and_are_drawn(watched: Watched) -> None:
    page = of(watched, "large")
    assert page.locator("table.runs tbody tr").count() == 100
    page.get_by_text("page 1 of 20, 2000 training runs").wait_for()
    for group in ("best", "history", "coordinates"):
        watched.drawn(group)
    page.get_by_role("link", name="next").click(force=True)  # on a busy machine frames are too rare to see that it stands still
    page.get_by_text("page 2 of 20").wait_for()


def test_the_table_sorts_filters_and_is_copied_as_it_is_shown(watched: Watched) -> None:
    page = of(watched, "mixed")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("th.of-metric a", has_text="accuracy").click()
    page.wait_for_url(re.compile("sort=metric"))
    page.locator("th[aria-sort=descending]", has_text="accuracy").wait_for()
    cells = [float(text) for text in page.locator("table.runs tbody tr td:nth-child(3)").all_inner_texts() if text != "-"]
    assert len(cells) == 31 and cells == sorted(cells, reverse=True)
    page.get_by_placeholder("accuracy > 0.9").fill("accuracy > 0.9")
    page.get_by_placeholder("accuracy > 0.9").press("Enter")
    page.wait_for_url(re.compile("where="))
    count = sum(value > 0.9 for value in cells)
    page.get_by_text(f"{count} of 37 training runs").wait_for()
    page.get_by_role("button", name="Copy as CSV").click()
    page.get_by_role("button", name=f"Copied {count} rows").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").strip().splitlines()
    assert copied[0].startswith("id,state,accuracy") and [line.split(",")[0] for line in copied[1:]] == numbers(page)
    page.reload()
    page.get_by_text(f"{count} of 37 training runs").wait_for()


def test_another_picture_is_chosen_and_the_address_remembers_it(watched: Watched) -> None:
    page = of(watched, "mixed")
    watched.drawn("against").locator("select").select_option("width against accuracy")
    page.get_by_text("accuracy against width of 31 training runs.").wait_for()
    assert "against=width" in page.url
    page.reload()
    page.get_by_text("accuracy against width of 31 training runs.").wait_for()


def test_dragging_along_an_axis_selects_lines_and_a_click_takes_it_back(watched: Watched) -> None:
    page = of(watched, "mixed")
    figure = watched.drawn("coordinates")
    figure.get_by_text("Drag along an axis").wait_for()
    box = figure.locator(".plot").bounding_box()
    place = figure.locator(".plot").evaluate(PLACE)
    x, top, height = box["x"] + place[0], box["y"] + place[1], place[2]
    page.mouse.move(x, top + 0.06 * height)
    page.mouse.down()
    page.mouse.move(x, top + 0.5 * height, steps=4)
    page.mouse.up()
    figure.get_by_text(re.compile(r"\d+ are selected")).wait_for()
    selected = int(re.search(r"(\d+) are selected", figure.locator(".caption").inner_text())[1])  # type: ignore[index]
    assert 0 < selected < 31
    page.mouse.click(x, top + 0.3 * height)
    figure.get_by_text("Drag along an axis").wait_for()


def test_what_changes_in_the_service_appears_without_reloading(watched: Watched) -> None:
    service = watched.site.service
    experiment = service.experiment(name="live")
    page = watched.go(f"experiments/{experiment['id']}")
    page.get_by_text("No training run yet.").wait_for()
    run = service.run(experiment)
    page.locator(".badge", has_text="running").first.wait_for()
    service.end(run, 0.75)
    page.get_by_text("m 0.75", exact=True).wait_for()
    assert watched.drawn("history").locator(".legendtext").all_text_contents() == ["completed"]


def test_changes_are_asked_for_first_and_refusals_are_shown(watched: Watched) -> None:
    service = watched.site.service
    experiment = service.experiment(name="to be changed")
    address = f"aiexperiments/{experiment['id']}"
    page = watched.go(f"experiments/{experiment['id']}")
    page.get_by_role("button", name="Change the budget…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert service.call("GET", address)["budget"] == 10
    page.get_by_role("button", name="Change the budget…").click()
    page.get_by_label("Training runs in total").fill("25")
    page.get_by_role("button", name="Change it").click()
    page.get_by_text("The budget is 25 now.").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    assert service.call("GET", address)["budget"] == 25
    page.get_by_role("button", name="Queue a suggestion…").click()
    page.get_by_role("dialog").get_by_label("x", exact=True).fill("0.25")
    page.get_by_role("dialog").get_by_label("k", exact=True).select_option("b")
    page.get_by_role("button", name="Queue it").click()
    page.get_by_text("The next training run gets it.").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    assert service.run(experiment)["assignments"] == {"x": 0.25, "k": "b"}
    page.get_by_role("button", name="Archive…").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive", exact=True).click()
    page.get_by_text("can be unarchived there").wait_for()
    assert service.call("GET", address)["state"] == "deleted"
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Queue a suggestion…").click()
    page.get_by_role("dialog").get_by_label("x", exact=True).fill("many")
    page.get_by_role("button", name="Queue it").click()
    page.get_by_text("'many' is no value for the parameter x").wait_for()
    watched.problems[:] = [one for one in watched.problems if "400 (Bad Request)" not in one]


def test_experiments_are_found_and_compared(watched: Watched) -> None:
    page = watched.page
    for name in ("mixed", "other"):
        page.get_by_label(f"Compare experiment {watched.site.ids[name]}", exact=True).check()
    page.get_by_role("button", name="Compare those ticked").click()
    legend = watched.drawn("compared").locator(".legendtext").all_text_contents()
    assert len(legend) == 2 and any("wider" in one for one in legend)
    watched.go("?search=wider").get_by_text("1 experiments").wait_for()


def test_a_phone_needs_no_sideways_scrolling_in_light_or_dark(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 800})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in ("", f"experiments/{watched.site.ids['mixed']}", "training-runs/5"):
            watched.go(path)
            page.locator("main .card").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
    of(watched, "mixed")
    watched.drawn("best")
    assert page.evaluate("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor") == "rgb(20, 24, 29)"


def test_pages_work_behind_a_prefix(watched: Watched) -> None:
    code, one = watched.site.code(), watched.site.ids["front"]
    with proxied(watched.site.service.url) as address:
        page = watched.page
        page.goto(f"{address}/sign-in?to=experiments/{one}&code={code}")
        page.wait_for_url(f"{address}/experiments/{one}")
        watched.drawn("front")
        page.get_by_role("button", name="Change the budget…").click()
        page.get_by_role("button", name="Change it").click()
        page.get_by_text("The budget is 60 now.").wait_for()
        watched.go("")
        watched.problems[:] = [one for one in watched.problems if not one.startswith(f"request to {address}/")]


def test_the_report_needs_no_network_and_says_what_the_command_says(watched: Watched, tmp_path: Path) -> None:
    service, path = watched.site.service, tmp_path / "report.html"
    variables = {**os.environ, "SIGOPT_API_URL": service.url, "SIGOPT_API_TOKEN": service.token, "TRIALFLOW_HOME": str(tmp_path / "home")}
    for name in ("hostile", "mixed"):
        command = [*TRIALFLOW, "experiment", "report", watched.site.ids[name], "-o", str(path)]
        subprocess.run(command, env=variables, cwd=tmp_path, check=True, timeout=SECONDS / 1000)
        assert path.stat().st_size < 6_000_000
        context = watched.page.context.browser.new_context(offline=True)
        page = context.new_page()
        page.on("pageerror", lambda error: watched.problems.append(f"error: {error}"))
        page.on("console", lambda message: message.type == "error" and watched.problems.append(f"console: {message.text}"))
        page.on("request", lambda request: request.url.startswith("http") and watched.problems.append(f"request to {request.url}"))
        page.goto(path.as_uri())
        page.locator("[data-group=best] .main-svg").first.wait_for(timeout=SECONDS)
        assert page.evaluate("window.hacked") is None
        shown = page.evaluate("window.report")
        context.close()
    command = [*TRIALFLOW, "experiment", "show", watched.site.ids["mixed"], "-o", "json"]
    said = json.loads(subprocess.run(command, env=variables, cwd=tmp_path, check=True, capture_output=True, timeout=SECONDS / 1000).stdout)
    assert {key: shown[key] for key in said} == said


def test_work_is_stopped_from_a_page(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import time\nprint('m=1', flush=True)\ntime.sleep(600)\n")
    (tmp_path / "run.yml").write_text(f"run: {sys.executable} model.py\nmetrics:\n  m: 'm={{number}}'\n")
    (tmp_path / "experiment.yml").write_text(
        "name: stopped from a page\nparameters:\n  - {name: x, type: double, bounds: {min: 0, max: 1}}\n"
        "metrics:\n  - {name: m, objective: maximize}\nbudget: 5\n"
    )
    variables = {**os.environ, "TRIALFLOW_HOME": str(tmp_path / "home")}
    work = subprocess.Popen([*TRIALFLOW, "optimize"], env=variables, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # On a busy machine it takes a while until the first training run is launched.
        deadline = time.monotonic() + 3 * SECONDS / 1000
        while not list((tmp_path / "home").glob("training-runs/*/*")) and time.monotonic() < deadline and work.poll() is None:
            time.sleep(0.5)
        opened = subprocess.run([*TRIALFLOW, "open", "--no-browser"], env=variables, cwd=tmp_path, capture_output=True, text=True, check=True)
        page = browser.new_context().new_page()
        page.set_default_timeout(SECONDS)
        page.goto(opened.stdout.strip())
        page.get_by_role("link", name="stopped from a page").click()
        page.locator("table.runs .badge", has_text="running").wait_for()
        page.get_by_role("button", name="Stop…").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
        page.get_by_text("stopped; the same command goes on with it").wait_for()
        page.context.close()
        assert work.wait(SECONDS / 1000) == 130
    finally:
        if work.poll() is None:
            work.send_signal(signal.SIGINT)  # in order: it ends its model too
        try:
            work.communicate(timeout=SECONDS / 1000)
        except subprocess.TimeoutExpired:
            work.kill()
