"""Pages of Prefect's UI on a busy machine: a page that does not come is loaded again, and what is sent is sent until the server has it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.waiting import until

ATTEMPT = 90.0
"""What a page, and the server after something was sent, may take before it is tried again, in seconds."""
SECONDS = 600.0
Ask = Callable[..., Any]


@contextmanager
def new_page(browser: Any) -> Iterator[Any]:
    """A page of somebody who is not signed in."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(ATTEMPT * 1000)
    yield context.new_page()
    context.close()


def sign_in(page: Any, password: str) -> None:
    """Fill in the form that asks who it is. Raises Playwright's error if it does not come."""
    page.get_by_placeholder("admin:pass").fill(password)
    page.get_by_role("button", name="Login").click()


def send(attempt: Callable[[], None], *, received: Callable[[], Any]) -> Any:
    """Do something on a page until the server has `received` it, and return what it has."""
    from playwright.sync_api import Error

    trouble: list[object] = ["nothing was tried"]

    def tried() -> Any:
        if found := received():
            return found
        try:
            attempt()
            return until(received, "the server has received nothing", ATTEMPT)
        except (Error, AssertionError) as error:
            trouble.append(error)
            return None

    return until(tried, lambda: f"it was not sent: {trouble[-1]}", SECONDS)


def send_form(page: Any, ui: str, deployment: str, password: str, *, fill_in: Callable[[Any], None], ask: Ask) -> dict[str, Any]:
    """Fill in the form that runs a deployment until the server has a new flow run of it, which is returned."""
    wanted = {"flow_runs": {"deployment_id": {"any_": [deployment]}}}
    before = {one["id"] for one in ask("/flow_runs/filter", wanted)}
    submit = page.get_by_role("button", name="Submit")

    def made() -> dict[str, Any] | None:
        return next((one for one in ask("/flow_runs/filter", wanted) if one["id"] not in before), None)

    def attempt() -> None:
        page.goto(f"{ui}/deployments/deployment/{deployment}/run")
        asked = page.get_by_placeholder("admin:pass")
        asked.or_(submit).first.wait_for()
        if asked.is_visible():  # not if it has been tried before
            sign_in(page, password)
            submit.wait_for()
        fill_in(page)
        submit.dispatch_event("click")  # a message of the UI may lie over it

    return send(attempt, received=made)
