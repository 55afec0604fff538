"""`trialflow schedule`: run an experiment again and again, by Prefect's schedules."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from trialflow.cli.options import (
    MODEL_COMMAND,
    command_argument,
    experiment_file_option,
    project_option,
    read_run,
    read_source,
    run_file_option,
    source_file_option,
)
from trialflow.cli.prefect_client import with_client
from trialflow.cli.terminal.messages import hint, next_commands, say, warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.schedules import Scheduled
    from trialflow.cli.triggering import Order

name_argument = click.argument("name")
COLUMNS = ("NAME", "EXPERIMENT", "WHEN", "STATE", "NEXT", "LAST")


@click.group()
def schedule() -> None:
    """Run an experiment again and again. Schedules fire while `trialflow up` is at work; one experiment has one flow run at a time."""


@schedule.command(context_settings=MODEL_COMMAND)
@experiment_file_option
@run_file_option
@source_file_option
@project_option
@click.option("--name", metavar="NAME", help="The name of the schedule; by default that of the experiment.")
@click.option("--cron", required=True, metavar="'MIN HOUR DAY MONTH WEEKDAY'", help="When it runs, such as '0 2 * * *' for every night at 2.")
@click.option("--timezone", metavar="ZONE", help="The zone of these times, such as Europe/Berlin; by default that of this machine.")
@click.option("--learn/--no-learn", default=None, help="Start from the last experiment's results, or anew. Learns by default where it can.")
@click.option(
    "--when-busy",
    type=click.Choice(["skip", "wait"]),
    default="skip",
    show_default=True,
    help="A run that is due while the last one works is left out, or waits for its end.",
)
@command_argument
def add(
    experiment_file: str,
    run_file: str,
    source_file: str | None,
    project: str | None,
    name: str | None,
    cron: str,
    timezone: str | None,
    learn: bool | None,
    when_busy: str,
    command: tuple[str, ...],
) -> int:
    """Schedule the experiment in experiment.yml. The same name again changes its schedule.

    It starts a new experiment each time, and resumes one that is unfinished. One that learns starts from the last one's results, measures the last
    best again, and compares it with the new best in the end. The files are read now: add it again after you have changed them.
    """
    from deployments.schedules import slug_of
    from tasks.experiments.verdict import unlearnable
    from tasks.model_secrets import model_secrets
    from trialflow.cli.triggering import Order
    from trialflow.specs import load_experiment

    zone = timezone or machine_zone()
    _check_zone(zone)
    directory = Path.cwd()
    run = read_run(run_file, command, directory=directory)
    spec = load_experiment(experiment_file)
    if model_secrets.get():
        raise InvalidInput(
            f"{run_file} has AWS keys, which no schedule keeps: its parameters are shown",
            hint="remove `aws:`; the model finds the keys of the shell in which `schedule add` was typed, or of the machine",
        )
    reason = unlearnable(spec)
    if learn and reason:
        raise InvalidInput(f"the experiment cannot learn from the one before it: {reason}", hint="`--no-learn` starts anew each time")
    if learn is None and reason:
        say(f"it starts anew each time: {reason}")
    options = {"when_busy": when_busy, "learn": reason is None and learn is not False}
    order = Order(spec, run, project, directory, read_source(source_file, directory), options=options)
    return with_client(lambda client: _add(client, slug_of(name or spec.name), cron, zone, order, queues=when_busy == "wait"))


async def _add(client: "PrefectClient", name: str, cron: str, zone: str, order: "Order", *, queues: bool) -> int:
    from deployments import schedules
    from tasks.local.shell import keep_shell
    from trialflow.cli.environment import SHELL
    from trialflow.cli.triggering import standing_here
    from trialflow.cli.up import queue_of

    home = Home.from_environment()
    keep_shell(home, SHELL, order.directory)
    is_new = await schedules.add(client, name, cron=cron, timezone=zone, parameters=order.parameters(), queue=queue_of(home), queues=queues)
    say(f"schedule {name} {'was added' if is_new else 'was changed'}: {cron} in {zone}")
    if standing_here() is None:
        warn("schedules fire while trialflow is up, and it is not")
        hint("`trialflow up --detach`")
    next_commands([f"trialflow schedule show {name}", f"trialflow schedule run {name}", f"trialflow schedule remove {name}"])
    return 0


@schedule.command("list")
@output_option
def list_(output: str) -> int:
    """List the schedules, with when each runs next and what became of the last run."""

    async def listed(client: "PrefectClient") -> int:
        from deployments.schedules import scheduled

        found = await scheduled(client)
        if not found and output == "table":
            say("nothing is scheduled")
            hint("`trialflow schedule add --cron '0 2 * * *'` schedules the experiment of this folder")
            return 0
        show([facts(one) for one in found], output=output, names=[one.name for one in found], columns=COLUMNS, rows=[row(one) for one in found])
        return 0

    return with_client(listed)


@schedule.command("show")
@name_argument
@output_option
def show_(name: str, output: str) -> int:
    """Show a schedule, its next runs and its last ones."""

    async def shown(client: "PrefectClient") -> int:
        from deployments.schedules import runs_of

        one = await _found(client, name)
        coming = await runs_of(client, one.deployment_id, to_come=True, limit=3)
        past = await runs_of(client, one.deployment_id, to_come=False, limit=10)
        data = {
            **facts(one),
            "parameters": one.parameters,
            "next_runs": [local(run.expected_start_time, one.timezone) for run in coming],
            "last_runs": [{"id": str(run.id), "when": local(run.expected_start_time, one.timezone), "state": run.state_name} for run in past],
        }
        if output != "table":
            show(data, output=output, names=[one.name])
            return 0
        show(None, output="table", names=[], columns=COLUMNS, rows=[row(one)])
        click.echo(f"\nfolder: {one.parameters.get('directory')}")
        if (one.parameters.get("options") or {}).get("learn"):
            winner = Home.from_environment().winner(one.experiment)
            click.echo("it learns from the last experiment" + (f"; run file of the last winner: {winner}" if winner.exists() else ""))
        click.echo("next: " + (", ".join(data["next_runs"]) or "none"))
        if past:
            rows = [[run["when"], run["state"], run["id"]] for run in data["last_runs"]]
            click.echo()
            show(None, output="table", names=[], columns=("WHEN", "STATE", "FLOW RUN"), rows=rows)
        return 0

    return with_client(shown)


@schedule.command()
@name_argument
def pause(name: str) -> int:
    """Have a schedule fire no more until it is resumed. A run that is at work goes on."""
    return _switched(name, active=False)


@schedule.command()
@name_argument
def resume(name: str) -> int:
    """Have a paused schedule fire again. Runs that were missed are not made up for."""
    return _switched(name, active=True)


@schedule.command()
@name_argument
def run(name: str) -> int:
    """Run a scheduled experiment now, beside its schedule."""

    async def ran(client: "PrefectClient") -> int:
        from deployments.schedules import run_now

        started = await run_now(client, await _found(client, name))
        say(f"triggered {name}: flow run {started.id}")
        next_commands([f"trialflow follow {started.id}", f"trialflow schedule show {name}"])
        return 0

    return with_client(ran)


@schedule.command()
@name_argument
def remove(name: str) -> int:
    """Forget a schedule. Its experiments and their results stay."""

    async def removed(client: "PrefectClient") -> int:
        from deployments import schedules

        await schedules.remove(client, await _found(client, name))
        say(f"schedule {name} was removed")
        return 0

    return with_client(removed)


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


def local(when: datetime | None, zone: str) -> str | None:
    """A time in the schedule's own zone."""
    return when.astimezone(ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:%M %Z") if when else None


def machine_zone() -> str:
    """The time zone of this machine by its name; UTC if it has none."""
    if named := os.environ.get("TZ", "").lstrip(":"):
        return named
    target = os.path.realpath("/etc/localtime")
    named = target.split("/zoneinfo/", 1)[1] if "/zoneinfo/" in target else "UTC"
    return named.removeprefix("Etc/")


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {zone!r}", hint="as in --timezone Europe/Berlin, or UTC") from None


def _switched(name: str, *, active: bool) -> int:
    async def switched(client: "PrefectClient") -> int:
        from deployments.schedules import switch

        await switch(client, await _found(client, name), active=active)
        say(f"schedule {name} {'is active again' if active else 'is paused'}")
        return 0

    return with_client(switched)


async def _found(client: "PrefectClient", name: str) -> "Scheduled":
    from deployments.schedules import find

    found = await find(client, name)
    assert found is not None
    return found
