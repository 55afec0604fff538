"""`trialflow archive` and `unarchive`: experiments and training runs, as SigOpt's command line has it."""

import asyncio

import click

from trialflow.cli.identifiers import experiment_id, find_run
from trialflow.cli.options import project_here, project_option
from trialflow.cli.session import service_session
from trialflow.cli.terminal.messages import say

identifiers_argument = click.argument("identifiers", metavar="ID...", nargs=-1, required=True)


@click.group()
def archive() -> None:
    """Archive experiments or training runs: they are hidden, and can be brought back."""


@click.group()
def unarchive() -> None:
    """Bring archived experiments or training runs back."""


@archive.command("experiment")
@identifiers_argument
@click.option("--include-runs", is_flag=True, help="Their training runs as well.")
def archive_experiments(identifiers: tuple[str, ...], include_runs: bool) -> None:
    """Archive experiments."""
    asyncio.run(_experiments(identifiers, deleted=True, include_runs=include_runs))


@unarchive.command("experiment")
@identifiers_argument
def unarchive_experiments(identifiers: tuple[str, ...]) -> None:
    """Bring experiments back."""
    asyncio.run(_experiments(identifiers, deleted=False, include_runs=False))


async def _experiments(identifiers: tuple[str, ...], *, deleted: bool, include_runs: bool) -> None:
    numbers = [experiment_id(one) for one in identifiers]
    async with service_session() as (_, client):
        for number in numbers:
            if deleted:
                await client.request("DELETE", "aiexperiments", number, body={"include_runs": "true" if include_runs else "false"})
            else:
                await client.update_experiment(number, {"state": "active"})
            say(f"experiment {number}: {'archived' if deleted else 'active again'}")


@archive.command("run")
@identifiers_argument
@project_option
def archive_runs(identifiers: tuple[str, ...], project: str | None) -> None:
    """Archive training runs: they give their unit of budget back."""
    asyncio.run(_runs(identifiers, project, deleted=True))


@unarchive.command("run")
@identifiers_argument
@project_option
def unarchive_runs(identifiers: tuple[str, ...], project: str | None) -> None:
    """Bring training runs back."""
    asyncio.run(_runs(identifiers, project, deleted=False))


async def _runs(identifiers: tuple[str, ...], project: str | None, *, deleted: bool) -> None:
    async with service_session() as (_, client):
        for text in identifiers:
            run = await find_run(client, text, project_here(project))
            if deleted:
                await client.request("DELETE", "training_runs", run["id"])
            else:
                await client.request("PUT", "training_runs", run["id"], body={"deleted": False})
            say(f"training run {run['id']}: {'archived' if deleted else 'active again'}")
