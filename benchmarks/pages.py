"""Pages: seconds from opening an experiment in a browser until one can use it, and until every picture on the screen is drawn.

    python -m benchmarks.pages          (needs Chromium and the development dependencies)

A page can be used when facts, table and buttons are painted, the buttons work, and the browser answers a click at once. How long it answers none
afterwards, because plotly begins or draws, is a column of its own: the longest time without an answer. The yardstick is the same browser with plotly
alone: a bare file that draws the same history, and nothing else. In each round a new browser context, which has nothing in its cache, opens one after
the other; the first round is also the first time that the service reads the experiment, and is printed beside the medians.
"""

import json
import os
import secrets
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.figures import table
from tests.pages.experiments import seeded
from tests.service.conftest import Running, start
from trialflow.results.pictures import plotly_script, points_of
from trialflow.results.pictures.progress import history

COUNTS = (40, 2000, 10000)
ROUNDS = 3
SECONDS = 120_000
# Two frames after the last picture: what was drawn is on the screen, and what waited for the main thread has had its turn.
IS_DRAWN = """async (groups) => {
  const drawn = () => groups.every((one) => document.querySelector(one)?.classList.contains("js-plotly-plot"));
  while (!drawn()) await new Promise((next) => setTimeout(next, 5));
  await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(next, 0))));
  return performance.now() / 1000;
}"""
# Looks after each task of the page. What is painted is known a moment later than what is there.
WATCH = """window.usable = null;
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: "longtask", buffered: true });
(function look() {
  const button = document.querySelector("[data-dialog]");
  const isThere = document.querySelector("table.runs tbody tr") && button && !button.disabled && performance.getEntriesByName("first-paint").length;
  if (isThere) requestAnimationFrame(() => setTimeout(() => (usable = performance.now() / 1000), 0));
  else setTimeout(look, 2);
})();"""
UNANSWERED = "Math.max(0, ...tasks.filter((one) => one.startTime + one.duration > 1000 * usable).map((one) => one.duration)) / 1000"
COLUMNS = ("plotly alone", "first look: usable", "longest wait", "pictures", "again: usable", "longest wait", "pictures", "a change", "the overview")
BARE = """<!doctype html><script src="plotly.js"></script><div id="plot" style="width:660px;height:340px"></div>
<script>const figure = %s; Plotly.newPlot("plot", figure.data, figure.layout);</script>"""


def main() -> None:
    rows = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:  # one service for each, which knows nothing yet
            home = Path(folder) / "home"
            identifier = seeded(home, large=count)["large"]
            service = start(home)
            try:
                program = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
                first, usual = measured(browser, service, identifier, Path(folder))
                rows.append([f"{count:,}", *(f"{value:.2f}" for value in usual)])
                rows.append(["  the first time", *(f"{value:.2f}" for value in first)])
                browser.close()
            finally:
                service.process.terminate()
                service.process.wait(10)
    print(table(["training runs", *COLUMNS], rows))


def measured(browser: Browser, service: Running, identifier: str, folder: Path) -> tuple[list[float], list[float]]:
    """The first round, and the medians of all rounds."""
    bare = folder / "bare.html"
    shutil.copy(plotly_script(), folder / "plotly.js")
    experiment = service.call("GET", f"aiexperiments/{identifier}")
    points = points_of(runs_of(service, identifier))
    bare.write_text(BARE % json.dumps(history(experiment["metrics"][0], points).figure))
    rounds = [one_round(browser, service, identifier, bare) for _ in range(ROUNDS)]
    return rounds[0], [statistics.median(values) for values in zip(*rounds, strict=True)]


def one_round(browser: Browser, service: Running, identifier: str, bare: Path) -> list[float]:
    alone = browser.new_page()
    alone.goto(bare.as_uri(), timeout=SECONDS)
    seconds = [alone.evaluate(IS_DRAWN, ["#plot"])]
    alone.close()
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    code = service.raw("POST", "sign_in_codes", json={}).json()["code"]
    page.goto(f"{service.url}/sign-in?code={code}")
    page.wait_for_url(f"{service.url}/")
    page.add_init_script(WATCH)
    shown = [f"[data-group={group}] .plot" for group in ("best", "history", "coordinates")]
    for _ in ("first", "again"):
        page.goto(f"{service.url}/experiments/{identifier}", wait_until="commit")
        drawn = page.evaluate(IS_DRAWN, shown)
        seconds += [page.evaluate("usable"), page.evaluate(UNANSWERED), drawn]
    service.call("PUT", f"aiexperiments/{identifier}", {"metadata": {"changed": secrets.token_hex(4)}})
    seconds.append(page.evaluate(f"async () => {{ const begun = performance.now(); {FETCH} return (performance.now() - begun) / 1000; }}"))
    page.goto(f"{service.url}/")
    seconds.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"))
    context.close()
    return seconds


FETCH = "await (await fetch(location.pathname.split('/').pop() + '/live', { headers: { Accept: 'application/json' } })).json();"


def runs_of(service: Running, identifier: str) -> list[dict[str, Any]]:
    """All training runs, as the API has them."""
    found: list[dict[str, Any]] = []
    before = None
    while True:
        query = {"limit": 1000, "filters": json.dumps([{"field": "experiment", "operator": "==", "value": identifier}])}
        page = service.call("GET", "clients/1/projects/vision/training_runs", {**query, **({"before": before} if before else {})})
        found += page["data"]
        if not (before := page["paging"]["before"]):
            return found


if __name__ == "__main__":
    main()
