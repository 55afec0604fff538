"""A real service over seeded experiments, and a real browser that is signed in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.browser import SECONDS
from tests.pages.experiments import seeded
from tests.service.conftest import Running, started


@dataclass
class Site:
    """A service, its experiments by name, and how to get into it."""

    service: Running
    ids: dict[str, str]

    def code(self, **body: Any) -> str:
        """A code for a browser."""
        return self.service.raw("POST", "sign_in_codes", json=body).json()["code"]

    def session(self) -> requests.Session:
        """A signed-in client that is no browser."""
        session = requests.Session()
        assert session.get(f"{self.service.url}/sign-in", params={"code": self.code()}, timeout=60).status_code == 200
        return session


@dataclass
class Watched:
    """A page of the browser, and what went wrong on it."""

    page: Any
    site: Site
    problems: list[str] = field(default_factory=list)

    def go(self, path: str) -> Any:
        """Open a path of the site."""
        self.page.goto(f"{self.site.service.url}/{path}", timeout=SECONDS)
        return self.page

    def drawn(self, group: str) -> Any:
        """The figure of a group of pictures, once it is drawn."""
        figure = self.page.locator(f"[data-group={group}]")
        figure.scroll_into_view_if_needed(timeout=SECONDS)
        figure.locator(".main-svg").first.wait_for(timeout=SECONDS)
        return figure


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service with experiments of every kind, one of 2,000 training runs among them."""
    home = tmp_path_factory.mktemp("pages") / "home"
    ids = seeded(home, large=2000)
    with started(home) as running:
        yield Site(running, ids)


@pytest.fixture
def watched(browser: Any, site: Site) -> Iterator[Watched]:
    """A signed-in page; at the end, nothing may have gone wrong on it, and no other host may have been asked."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SECONDS)
    found = Watched(context.new_page(), site)
    own = site.service.url

    def requested(request: Any) -> None:
        if not request.url.startswith((own, "data:", "blob:")):
            found.problems.append(f"request to {request.url}")

    found.page.on("request", requested)
    found.page.on("pageerror", lambda error: found.problems.append(f"error: {error}"))
    found.page.on("console", lambda message: message.type == "error" and found.problems.append(f"console: {message.text}"))
    found.page.goto(f"{own}/sign-in?code={site.code()}")
    found.page.wait_for_url(f"{own}/")
    yield found
    hacked = found.page.evaluate("window.hacked")
    context.close()
    assert found.problems == [] and hacked is None
