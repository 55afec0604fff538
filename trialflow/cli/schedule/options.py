"""What the commands of `trialflow schedule` have in common: which server they are about, and the schedule that is named."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from trialflow.cli.prefect_client import with_client
from trialflow.cli.reaching import here_option, server_meant

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.schedules import Scheduled

name_argument = click.argument("name")


def server_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say which server is meant."""
    named = click.option(
        "-n", "--cluster-name", metavar="NAME", help="On that cluster's server; by default the current one's, if nothing is up here."
    )
    return named(here_option(command))


def at_server(cluster_name: str | None, here: bool, work: "Callable[[PrefectClient], Awaitable[int]]") -> int:
    """Do something with the Prefect server that is meant. Returns the exit code."""
    with server_meant(cluster_name, here):
        return with_client(work)


def with_schedule(name: str, cluster_name: str | None, here: bool, work: "Callable[[PrefectClient, Scheduled], Awaitable[int]]") -> int:
    """Do something with the schedule of that name. Returns the exit code; raises `InvalidInput` if there is none."""

    async def found(client: "PrefectClient") -> int:
        from deployments.schedules import find

        one = await find(client, name)
        assert one is not None
        return await work(client, one)

    return at_server(cluster_name, here, found)


def at(cluster_name: str | None) -> str:
    """The option that a next command needs to find the same server."""
    return f" -n {cluster_name}" if cluster_name else ""
