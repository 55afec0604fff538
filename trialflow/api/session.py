"""What a command needs: the service, and for a flow a Prefect server. Both are started if needed, and given back at the end."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialflow.api.running import import_flows
from trialflow.embedded import lease, lease_async, prefect_server, said_if_slow, service_server
from trialflow.embedded.servers import prefect_auth
from trialflow.home import Home
from trialflow.prefect_api import prefect_api_url, ui_of

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient


@dataclass(frozen=True)
class Session:
    """Servers that are up. `prefect_url` is the API's address, `ui_url` the UI's; `asks_token` says that the UI wants the token of this home."""

    home: Home
    prefect_url: str
    ui_url: str
    asks_token: bool


@contextmanager
def flow_session() -> Iterator[Session]:
    """Start what a flow needs, both servers at once, and set Prefect's variables before Prefect is imported.

    With PREFECT_API_URL (or a Prefect profile that sets it) that server is used.
    """
    home = Home.from_environment()
    with ExitStack() as held, ThreadPoolExecutor(2) as together:
        service = None if names_a_service() else together.submit(lease, service_server(home))
        if url := prefect_api_url():
            session = Session(home, url, os.environ.get("PREFECT_UI_URL") or url.removesuffix("/api"), False)
        else:
            starting = prefect_server(home)
            with said_if_slow(starting):
                server = held.enter_context(together.submit(lease, starting).result())
            session = Session(home, f"{server.url}/api", ui_of(server.url), True)
            held.enter_context(set_variables(prefect_variables(home, session.prefect_url, prefect_auth(home))))
        # About a second, as long as the service takes to start: both at once.
        import_flows(home.prefect if session.asks_token else None)
        if service:
            held.enter_context(service.result())
        yield session


def prefect_variables(home: Home, url: str, login: str) -> Mapping[str, str]:
    """What points Prefect at a server of ours, at the API's address `url`, whatever the user has set."""
    import certifi

    return {
        "PREFECT_API_URL": url,
        "PREFECT_UI_URL": ui_of(url),
        "PREFECT_API_AUTH_STRING": login,
        "PREFECT_HOME": str(home.make(home.prefect)),
        "PREFECT_PROFILES_PATH": str(home.prefect / "profiles.toml"),
        # Otherwise Prefect reads the file that SSL_CERT_FILE names, for an address that needs none, and fails if there is no such file.
        "PREFECT_API_SSL_CERT_FILE": certifi.where(),
        # Whoever has a Prefect of their own has told it what they think of its telemetry; who has not was never asked.
        "DO_NOT_TRACK": os.environ.get("DO_NOT_TRACK", "1"),
    }


@contextmanager
def set_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for as long as it is entered."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@asynccontextmanager
async def service_session() -> "AsyncIterator[tuple[Home, ServiceClient]]":
    """A client of the service, for commands that start no flow; Prefect is not imported."""
    from tasks.experiments.client import ServiceClient

    home = Home.from_environment()
    url, token = os.environ.get("SIGOPT_API_URL"), os.environ.get("SIGOPT_API_TOKEN")
    with ExitStack() as held:
        if not (url and token):
            url, token = held.enter_context(await lease_async(service_server(home))).url, home.token()
        client = ServiceClient(url, token)
        try:
            yield home, client
        finally:
            client.close()


def names_a_service() -> bool:
    """Whether this shell names a service: then that one is meant, and no other."""
    return bool(os.environ.get("SIGOPT_API_URL") and os.environ.get("SIGOPT_API_TOKEN"))
