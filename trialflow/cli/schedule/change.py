"""`trialflow schedule pause`, `resume`, `run` and `remove`."""

from typing import TYPE_CHECKING

import click

from trialflow.cli.schedule.options import at, name_argument, server_options, with_schedule
from trialflow.cli.terminal.messages import next_commands, say

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.schedules import Scheduled


@click.command()
@name_argument
@server_options
def pause(name: str, cluster_name: str | None, here: bool) -> int:
    """Have a schedule fire no more until it is resumed. A run that is at work goes on."""
    return _switched(name, cluster_name, here, active=False)


@click.command()
@name_argument
@server_options
def resume(name: str, cluster_name: str | None, here: bool) -> int:
    """Have a paused schedule fire again. Runs that were missed are not made up for."""
    return _switched(name, cluster_name, here, active=True)


@click.command()
@name_argument
@server_options
def run(name: str, cluster_name: str | None, here: bool) -> int:
    """Run a scheduled experiment now, beside its schedule."""

    async def ran(client: "PrefectClient", one: "Scheduled") -> int:
        from deployments.schedules import run_now

        started = await run_now(client, one)
        say(f"triggered {name}: flow run {started.id}")
        next_commands([f"trialflow follow{at(cluster_name)} {started.id}", f"trialflow schedule show{at(cluster_name)} {name}"])
        return 0

    return with_schedule(name, cluster_name, here, ran)


@click.command()
@name_argument
@server_options
def remove(name: str, cluster_name: str | None, here: bool) -> int:
    """Forget a schedule. Its experiments and their results stay."""

    async def removed(client: "PrefectClient", one: "Scheduled") -> int:
        from deployments import schedules

        await schedules.remove(client, one)
        say(f"schedule {name} was removed")
        return 0

    return with_schedule(name, cluster_name, here, removed)


def _switched(name: str, cluster_name: str | None, here: bool, *, active: bool) -> int:
    async def switched(client: "PrefectClient", one: "Scheduled") -> int:
        from deployments.schedules import switch

        await switch(client, one, active=active)
        say(f"schedule {name} {'is active again' if active else 'is paused'}")
        return 0

    return with_schedule(name, cluster_name, here, switched)
