"""A real browser. Without Chromium the tests that look at pages are skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 90_000
"""For everything that a page is waited for, in milliseconds: the machine may be busy."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: the one that TRIALFLOW_TEST_CHROMIUM names, or that is installed."""
    program = os.environ.get("TRIALFLOW_TEST_CHROMIUM") or next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None or not Path(program).exists():
        pytest.skip("no Chromium is installed, and TRIALFLOW_TEST_CHROMIUM names none: pages are not looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [], timeout=SECONDS)
        yield launched
        launched.close()
