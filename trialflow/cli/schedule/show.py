"""`trialflow schedule list` and `show`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.schedule.options import at_server, name_argument, server_options, with_schedule
from trialflow.cli.schedule.times import local
from trialflow.cli.terminal import output as terminal
from trialflow.cli.terminal.messages import hint, say
from trialflow.cli.terminal.output import output_option
from trialflow.home import Home

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.schedules import Scheduled

COLUMNS = ("NAME", "EXPERIMENT", "WHEN", "STATE", "NEXT", "LAST")


@click.command()
@server_options
@output_option
def list_(cluster_name: str | None, here: bool, output: str) -> int:
    """List the schedules, with when each runs next and what became of the last run."""

    async def listed(client: "PrefectClient") -> int:
        from deployments.schedules import scheduled

        found = await scheduled(client)
        if not found and output == "table":
            say("nothing is scheduled")
            hint("`trialflow schedule add --cron '0 2 * * *'` schedules the experiment of this folder")
            return 0
        rows = [row(one) for one in found]
        terminal.show([facts(one) for one in found], output=output, names=[one.name for one in found], columns=COLUMNS, rows=rows)
        return 0

    return at_server(cluster_name, here, listed)


@click.command()
@name_argument
@server_options
@output_option
def show(name: str, cluster_name: str | None, here: bool, output: str) -> int:
    """Show a schedule, its next runs and its last ones."""

    async def shown(client: "PrefectClient", one: "Scheduled") -> int:
        from deployments.schedules import runs_of

        coming = await runs_of(client, one.deployment_id, to_come=True, limit=3)
        past = await runs_of(client, one.deployment_id, to_come=False, limit=10)
        data = {
            **facts(one),
            "parameters": one.parameters,
            "next_runs": [local(run.expected_start_time, one.timezone) for run in coming],
            "last_runs": [{"id": str(run.id), "when": local(run.expected_start_time, one.timezone), "state": run.state_name} for run in past],
        }
        if output != "table":
            terminal.show(data, output=output, names=[one.name])
            return 0
        terminal.show(None, output="table", names=[], columns=COLUMNS, rows=[row(one)])
        click.echo()
        for line in where(one.parameters):
            click.echo(line)
        if (one.parameters.get("options") or {}).get("learn"):
            winner = Home.from_environment().winner(one.experiment)
            is_known = folder_of(one.parameters) is not None and winner.exists()
            click.echo("it learns from the last experiment" + (f"; run file of the last winner: {winner}" if is_known else ""))
        click.echo("next: " + (", ".join(data["next_runs"]) or "none"))
        if past:
            rows = [[run["when"], run["state"], run["id"]] for run in data["last_runs"]]
            click.echo()
            terminal.show(None, output="table", names=[], columns=("WHEN", "STATE", "FLOW RUN"), rows=rows)
        return 0

    return with_schedule(name, cluster_name, here, shown)


def facts(one: "Scheduled") -> dict[str, Any]:
    """A schedule for programs."""
    return {
        "name": one.name,
        "experiment": one.experiment,
        "cron": one.cron,
        "timezone": one.timezone,
        "active": one.is_active,
        "next": local(one.next, one.timezone) if one.is_active else None,
        "last": one.last.state_name if one.last else None,
    }


def row(one: "Scheduled") -> list[Any]:
    """A schedule as a row of `COLUMNS`."""
    state = "active" if one.is_active else "paused"
    coming = local(one.next, one.timezone) if one.is_active else None
    return [one.name, one.experiment, f"{one.cron} {one.timezone}".strip(), state, coming, one.last.state_name if one.last else None]


def where(given: Mapping[str, Any]) -> list[str]:
    """Where training runs execute according to a schedule's parameters, and of what: lines for people."""
    cluster = given.get("cluster") or {}
    image = (cluster.get("image") or {}).get("reference") or (given.get("run") or {}).get("image")
    found = {"cluster": cluster.get("name"), "image": image if cluster else None, "folder": folder_of(given)}
    return [f"{what}: {value}" for what, value in found.items() if value]


def folder_of(given: Mapping[str, Any]) -> str | None:
    """The model's folder on the machine of the worker; None if the flow runs in a pod, where the model is in its image."""
    from trialflow.cli.cluster.leaving import FOLDER

    folder = given.get("directory")
    return None if folder == FOLDER else folder
