"""`trialflow deploy`: register the deployments at a Prefect server of one's own."""

from typing import TYPE_CHECKING

import click

from trialflow.cli.prefect_client import with_client
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.errors import InvalidInput
from trialflow.prefect_api import prefect_api_url

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


@click.command()
def deploy() -> int:
    """Register trialflow's deployments, work pool, blocks and automations at the Prefect server of PREFECT_API_URL.

    `trialflow up` does this by itself. It can be done again at any time: what is there is brought up to date.
    """
    url = prefect_api_url()
    if url is None:
        hint = "set PREFECT_API_URL to your server's address, such as http://127.0.0.1:4200/api; `trialflow up` starts one and registers everything"
        raise InvalidInput("no Prefect server is named to register the deployments at", hint=hint)

    async def registered(client: "PrefectClient") -> int:
        from deployments.automations import ensure_automations
        from deployments.declared import POOL
        from deployments.registration import register

        names = await register(client)
        await ensure_automations(client)
        for name in names:
            click.echo(name)
        say(f"registered {len(names)} deployments at {url}")
        next_commands([f"prefect worker start --pool {POOL}", f"prefect deployment run {names[0]}"])
        return 0

    return with_client(registered)
