"""Make the screenshots of pages.md: `python -m docs.screenshots`, with Chromium and the development dependencies."""

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.pages.experiments import seeded
from tests.service.conftest import start

FOLDER = Path(__file__).parent / "pages"
SECONDS = 120_000


def main() -> None:
    """Seed a service, look at it, and save what is seen."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        ids = seeded(home)
        service = start(home)
        try:
            program = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
            for name, one, scheme, height, groups in (
                ("experiment", "mixed", "light", 1340, ("best", "history", "coordinates")),
                ("front", "front", "dark", 1000, ("best", "front")),
            ):
                code = service.raw("POST", "sign_in_codes", json={}).json()["code"]
                page = browser.new_context(viewport={"width": 1200, "height": height}, color_scheme=scheme).new_page()
                page.set_default_timeout(SECONDS)
                page.goto(f"{service.url}/sign-in?code={code}&to=experiments/{ids[one]}")
                page.wait_for_url("**/experiments/*")
                save(page, name, groups)
        finally:
            service.process.terminate()
            service.process.wait(10)


def save(page: Page, name: str, groups: tuple[str, ...]) -> None:
    """Wait until pictures of these groups are drawn, and save what is on the screen."""
    for group in groups:
        page.locator(f"[data-group={group}] .main-svg").first.wait_for()
    page.wait_for_timeout(1500)
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
