"""A Prefect server for the tests of a module, empty at first."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trialflow.api.running import drain_prefect
from trialflow.embedded import lease
from trialflow.embedded import prefect_server as server_of
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, migrated: Callable[[Path], Path]) -> Iterator[None]:
    """This process is pointed at it, and so is what it starts; afterwards all is as it was."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    home = Home(tmp_path_factory.mktemp("prefect") / "home")
    migrated(home.make(home.prefect))
    with lease(server_of(home)) as server, pytest.MonkeyPatch.context() as patch:
        found = {PREFECT_API_URL: f"{server.url}/api", PREFECT_API_AUTH_STRING: prefect_auth(home)}
        for setting, value in found.items():
            patch.setenv(setting.name, value)
        # What sends events and logs for this process keeps to the server that it was made for: after another module's, nothing would arrive here.
        drain_prefect()
        with temporary_settings(found):
            yield
            drain_prefect()
