"""Where the service is: a block by name, the variables of the `sigopt` client, or the embedded one, which runs for as long as it is used."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from blocks import TrialflowService
from tasks.experiments.client import ServiceClient
from trialflow.embedded import lease_async, service_server
from trialflow.errors import InvalidInput
from trialflow.home import INSIDE, Home


@asynccontextmanager
async def open_service(home: Home, block: str | None = None) -> AsyncIterator[tuple[ServiceClient, str]]:
    """A client of the service, and its token, closed at the end.

    `block` names a `TrialflowService` block. Without it SIGOPT_API_URL and SIGOPT_API_TOKEN are used if both are set, else the embedded service.
    """
    url, token = os.environ.get("SIGOPT_API_URL"), os.environ.get("SIGOPT_API_TOKEN")
    held = None
    if block is not None:
        try:
            kept = await TrialflowService.aload(block)
        except ValueError as error:
            raise InvalidInput(
                f"there is no service block called {block!r} on this Prefect server", hint="`prefect block ls` shows those there are"
            ) from error
        url, token = kept.url, kept.token.get_secret_value()
    elif not (url and token):
        if INSIDE in os.environ:
            raise InvalidInput(
                "no service is named, and one in this Job would be gone with its pod, and the experiment with it",
                hint="name a `trialflow service` block as the parameter `service`",
            )
        held = await lease_async(service_server(home))
        url, token = held.url, home.token()
    client = ServiceClient(url, token)
    try:
        yield client, token
    finally:
        client.close()
        if held:
            held.release()
