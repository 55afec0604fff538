"""A page is of use before plotly has come, and nothing is laid out or drawn that need not be."""

import gzip
from typing import Any

import pytest
import requests

from tests.pages.conftest import Site, Watched
from trialflow.results.pictures import plotly_script

pytestmark = pytest.mark.slow
SCRIPT = "**/plotly.min.js"


def held(watched: Watched, address: str) -> list[Any]:
    """Requests to an address, which wait until somebody lets them go."""
    found: list[Any] = []
    watched.page.route(address, lambda route: found.append(route))
    return found


def test_the_table_and_the_actions_work_before_plotly_has_come(watched: Watched) -> None:
    waiting = held(watched, SCRIPT)
    page = watched.go(f"experiments/{watched.site.ids['large']}")
    page.get_by_role("button", name="Change the budget…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.locator("th.of-metric a", has_text="accuracy").click()
    page.locator("th[aria-sort=descending]", has_text="accuracy").wait_for()
    page.get_by_text("accuracy of 1960 training runs with a result").wait_for()
    assert waiting and page.locator(".main-svg").count() == 0
    waiting[0].continue_()
    watched.drawn("best")


def test_a_page_without_plotly_says_so_and_works_otherwise(watched: Watched) -> None:
    watched.page.route(SCRIPT, lambda route: route.abort())
    page = watched.go(f"experiments/{watched.site.ids['mixed']}")
    page.get_by_text("The pictures cannot be drawn: plotly.min.js could not be fetched.").wait_for()
    page.get_by_text("37 training runs").wait_for()
    watched.problems[:] = [one for one in watched.problems if "ERR_FAILED" not in one]


def test_what_the_page_brought_is_not_laid_out_again_and_nothing_moves(watched: Watched) -> None:
    waiting = held(watched, "**/live")
    page = watched.go(f"experiments/{watched.site.ids['mixed']}")
    row = page.locator("table.runs tbody tr").first
    row.evaluate("(one) => (one.isFirst = true)")
    top = page.locator(".room.checkpoints").bounding_box()["y"]
    waiting[0].continue_()
    watched.drawn("best")
    page.evaluate("scrollTo(0, 0)")
    assert row.evaluate("(one) => one.isFirst")
    assert page.locator("[data-group=checkpoints]").bounding_box()["y"] == pytest.approx(top, abs=40)


def test_a_picture_is_drawn_when_it_comes_near_the_screen(watched: Watched) -> None:
    watched.page.set_viewport_size({"width": 1400, "height": 700})
    page = watched.go(f"experiments/{watched.site.ids['mixed']}")
    for group in ("best", "history"):
        page.locator(f"[data-group={group}] .main-svg").first.wait_for()
    page.get_by_text("expected highest at").wait_for()
    assert page.locator("[data-group=checkpoints] .main-svg").count() == 0
    watched.drawn("checkpoints")


def test_scripts_come_compressed_and_are_kept_for_ever_and_all_of_plotly_is_compiled_at_once(site: Site) -> None:
    session = site.session()
    text = session.get(f"{site.service.url}/experiments/{site.ids['empty']}", timeout=60).text
    name = next(part for part in text.split('"') if part.endswith("plotly.min.js")).removeprefix("../")
    for accepted in ("gzip, br", "identity"):
        answer = requests.get(f"{site.service.url}/{name}", headers={"Accept-Encoding": accepted}, stream=True, timeout=60)
        sent = answer.raw.read()
        assert (answer.headers.get("Content-Encoding") == "gzip") == (accepted != "identity")
        assert "immutable" in answer.headers["Cache-Control"] and answer.headers["Vary"] == "Accept-Encoding"
        plain = gzip.decompress(sent) if accepted != "identity" else sent
        assert plain == b"//# allFunctionsCalledOnLoad\n" + plotly_script().read_bytes()
    assert "no-cache" in requests.get(f"{site.service.url}/static/old/plotly.min.js", timeout=60).headers["Cache-Control"]
