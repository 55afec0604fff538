"""`trialflow.connect`: the `sigopt` client of this process talks to the service, with no variable to set."""

import os
from typing import Any

from trialflow.api.process import ask
from trialflow.embedded import Lease, lease, service_server
from trialflow.embedded.transport import reach_directly
from trialflow.home import Home

held: list[Lease] = []
"""The embedded service stays up as long as this process: nothing gives this lease back."""


def connect(*, project: str | None = None) -> str:
    """Point the `sigopt` client at the service: `sigopt.create_experiment(...)`, `experiment.loop()` and the like then work.

    The service is that of SIGOPT_API_URL and SIGOPT_API_TOKEN if both are set, else the one on this machine, which stays up as long as this process.
    `project` is the project of what is created; by default SIGOPT_PROJECT, else the present folder's name. Returns the service's address.
    """
    named = ask("ensure_project", project=project)
    url, token = os.environ.get("SIGOPT_API_URL"), os.environ.get("SIGOPT_API_TOKEN")
    if not (url and token):
        home = Home.from_environment()
        used = lease(service_server(home))
        held.append(used)
        url, token = used.url, home.token()
    _point(url, token, named)
    return url


def _point(url: str, token: str, project: str) -> None:
    """Give the client its connection, and its project. It reads variables, and the folder's name, when it is imported."""
    before = os.environ.get("SIGOPT_PROJECT")
    os.environ["SIGOPT_PROJECT"] = project
    try:
        import sigopt
        from sigopt import interface
        from sigopt.request_driver import RequestDriver
    finally:
        if before is None:
            del os.environ["SIGOPT_PROJECT"]
        else:
            os.environ["SIGOPT_PROJECT"] = before
    driver: Any = RequestDriver(client_token=token, api_url=url)
    reach_directly(driver.session, url)
    connection = interface.Connection(driver=lambda **_: driver)  # type: ignore[arg-type] - it takes a function as well as a name
    interface._global_connection = connection  # type: ignore[attr-defined] - what its own functions use when they are not given one
    sigopt._global_factory._connection = connection
    sigopt.set_project(project)
