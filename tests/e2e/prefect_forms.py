"""Prefect's forms on a busy machine: a page that does not come is loaded again, and a form is sent until the server has it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.waiting import until

ATTEMPT = 90.0
"""What a page, and the server after a form was sent, may take before it is tried again, in seconds."""
SECONDS = 400.0
Ask = Callable[..., Any]


@contextmanager
def new_page(browser: Any) -> Iterator[Any]:
    """A page of somebody who is not signed in."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(ATTEMPT * 1000)
    yield context.new_page()
    context.close()


def open_form(page: Any, ui: str, deployment: str, password: str) -> None:
    """Load the form that runs a deployment, and sign in if that is asked for. Raises Playwright's error if it does not come."""
    page.goto(f"{ui}/deployments/deployment/{deployment}/run")
    asked, submit = page.get_by_placeholder("admin:pass"), page.get_by_role("button", name="Submit")
    asked.or_(submit).first.wait_for()
    if asked.is_visible():
        asked.fill(password)
        page.get_by_role("button", name="Login").click()
        submit.wait_for()


def send_form(page: Any, ui: str, deployment: str, password: str, *, fill_in: Callable[[Any], None], ask: Ask) -> dict[str, Any]:
    """Fill in the form until the server has a new flow run of the deployment, which is returned."""
    from playwright.sync_api import Error

    wanted = {"flow_runs": {"deployment_id": {"any_": [deployment]}}}
    before = {one["id"] for one in ask("/flow_runs/filter", wanted)}
    trouble: list[object] = ["nothing was tried"]

    def made() -> dict[str, Any] | None:
        return next((one for one in ask("/flow_runs/filter", wanted) if one["id"] not in before), None)

    def attempt() -> Any:
        if found := made():
            return found
        try:
            open_form(page, ui, deployment, password)
            fill_in(page)
            page.get_by_role("button", name="Submit").dispatch_event("click")  # a message of the UI may lie over it
            return until(made, "the server has got nothing", ATTEMPT)
        except (Error, AssertionError) as error:
            trouble.append(error)
            return None

    return until(attempt, lambda: f"the form was not sent: {trouble[-1]}", SECONDS)
