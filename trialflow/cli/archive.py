"""`trialflow archive` and `unarchive`, with the arguments of SigOpt's command line."""

import asyncio

import click

from tasks.experiments.identifiers import experiment_id, find_experiment, find_run
from trialflow.api.session import service_session
from trialflow.cli.options import project_here, project_option
from trialflow.cli.terminal.messages import say
from trialflow.errors import InvalidInput

identifiers_argument = click.argument("identifiers", metavar="ID...", nargs=-1, required=True)


@click.group()
def archive() -> None:
    """Archive experiments or training runs. They are hidden and can be restored with `unarchive`."""


@click.group()
def unarchive() -> None:
    """Restore archived experiments or training runs."""


@archive.command("experiment")
@identifiers_argument
@project_option
@click.option("--include-runs", is_flag=True, help="Archive their training runs as well.")
def archive_experiments(identifiers: tuple[str, ...], project: str | None, include_runs: bool) -> None:
    """Archive experiments. With --project, all of them must belong to that project."""
    asyncio.run(_experiments(identifiers, project, deleted=True, include_runs=include_runs))


@unarchive.command("experiment")
@identifiers_argument
@project_option
def unarchive_experiments(identifiers: tuple[str, ...], project: str | None) -> None:
    """Restore experiments. With --project, all of them must belong to that project."""
    asyncio.run(_experiments(identifiers, project, deleted=False, include_runs=False))


async def _experiments(identifiers: tuple[str, ...], project: str | None, *, deleted: bool, include_runs: bool) -> None:
    named = project_here(project) if project else None
    async with service_session() as (_, client):
        found = [await find_experiment(client, experiment_id(one), "") for one in identifiers]
        for one in found:
            if named and one["project"] != named:
                raise InvalidInput(f"experiment {one['id']} belongs to project {one['project']}, not {named}; nothing was changed")
        for number in (str(one["id"]) for one in found):
            if deleted:
                await client.request("DELETE", "aiexperiments", number, body={"include_runs": "true" if include_runs else "false"})
            else:
                await client.update_experiment(number, {"state": "active"})
            say(f"experiment {number}: {'archived' if deleted else 'restored'}")


@archive.command("run")
@identifiers_argument
@project_option
def archive_runs(identifiers: tuple[str, ...], project: str | None) -> None:
    """Archive training runs. Each one gives its unit of budget back."""
    asyncio.run(_runs(identifiers, project, deleted=True))


@unarchive.command("run")
@identifiers_argument
@project_option
def unarchive_runs(identifiers: tuple[str, ...], project: str | None) -> None:
    """Restore training runs."""
    asyncio.run(_runs(identifiers, project, deleted=False))


async def _runs(identifiers: tuple[str, ...], project: str | None, *, deleted: bool) -> None:
    async with service_session() as (_, client):
        for text in identifiers:
            run = await find_run(client, text, project_here(project))
            if deleted:
                await client.request("DELETE", "training_runs", run["id"])
            else:
                await client.request("PUT", "training_runs", run["id"], body={"deleted": False})
            say(f"training run {run['id']}: {'archived' if deleted else 'restored'}")
