"""`trialflow cluster stop` and `stop-all`."""

import asyncio
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.cluster.asking import go_ahead
from trialflow.cli.cluster.known import Known, known_of
from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.cli.cluster.targets import Target, find_target
from trialflow.cli.options import project_here, project_option
from trialflow.cli.session import service_session
from trialflow.cli.terminal.messages import error, hint, say, warn
from trialflow.errors import TrialflowError
from trialflow.metadata_keys import REASON, STOPPED_BY_USER

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.client.connection import Connection
    from tasks.kubernetes.jobs.workload import AttemptStatus
    from trialflow.home import Home

    Place = tuple[Home, Any, Connection]

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("identifiers", metavar="ID...", nargs=-1, required=True)
@cluster_option
@project_option
@yes_option
def stop(identifiers: tuple[str, ...], cluster_name: str | None, project: str | None, yes: bool) -> int:
    """Stop experiments or training runs, and delete what they have on the cluster.

    An experiment (12, experiment/12) can be gone on with: the same `optimize` again. A training run (run/34, or its name) has failed when it is
    stopped. All IDs are tried; the exit code is 1 if one could not be stopped.
    """
    return asyncio.run(_stop(the_cluster(cluster_name), identifiers, project_here(project), yes))


async def _stop(cluster: "Cluster", identifiers: tuple[str, ...], project: str, yes: bool) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.jobs.workload import read_workload

    code, targets = 0, []
    async with open_cluster(cluster) as connection, service_session() as (home, client):
        attempts = await read_workload(connection)
        for text in dict.fromkeys(identifiers):
            try:
                targets.append(await find_target(client, text, project, attempts))
            except TrialflowError as problem:
                code = max(code, _tell(problem))
        for target in targets:
            say(f"{target.name}: {_in_words(target)}")
        again = "trialflow cluster stop " + " ".join(map(shlex.quote, identifiers)) + f" --cluster-name {cluster.name} --yes"
        if targets and not go_ahead("stop?", yes=yes, again=again):
            return 1
        return max(code, await _stop_targets((home, client, connection), targets))


async def _stop_targets(place: "Place", targets: list[Target]) -> int:
    code = 0
    for target in targets:
        try:
            click.echo(f"{target.name}: {await _stop_one(place, target)}")
        except TrialflowError as problem:
            click.echo(f"{target.name}: not stopped")
            code = max(code, _tell(problem))
    return code


async def _stop_one(place: "Place", target: Target) -> str:
    return await (_stop_experiment(place, target) if target.experiment is not None else _stop_run(place, target))


async def _stop_experiment(place: "Place", target: Target) -> str:
    """Whoever works on it first, else it would launch again what is deleted."""
    from tasks.kubernetes.jobs.removal import remove_work
    from trialflow.cli.stopping import stop_work
    from trialflow.cli.working import until_nobody_works, who_works

    home, client, connection = place
    experiment = target.experiment
    assert experiment is not None
    if target.work is None:
        return "never was on a cluster"
    worker = await who_works(home, client.url, experiment)
    if worker and worker.startswith("perhaps "):
        warn(f"{worker} works on it, which cannot be seen from here: if so, stop that too, or it launches training runs again")
    elif worker:
        await stop_work(home, client.url, experiment)
        await until_nobody_works(home, client.url, experiment)
    await remove_work(connection, target.work)
    return "deleted"


async def _stop_run(place: "Place", target: Target) -> str:
    """It fails in the service first: whoever follows it finds it ended, and does not take it for lost."""
    from tasks.kubernetes.jobs.removal import remove_training_run, remove_work

    _, client, connection = place
    assert target.run is not None
    run = await client.run(str(target.run["id"]))
    if not target.attempts:
        if run["state"] != "active":
            return f"nothing of it is on the cluster; it is {run['state']}"
        raise TrialflowError(
            f"nothing of training run {run['id']} is on cluster {connection.cluster.name}, and it is active",
            hint="it is between two attempts, or executed elsewhere; `trialflow cluster list` shows other clusters",
        )
    if run["state"] == "active":
        await client.merge_run(run["id"], {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}})
    if target.work is not None:
        await remove_work(connection, target.work)
    else:
        await remove_training_run(connection, str(run["id"]), run["name"])
    return "deleted"


@click.command("stop-all")
@cluster_option
@click.option("--all", "everyones", is_flag=True, help="Also what this service does not know: it may be another user's.")
@yes_option
def stop_all(cluster_name: str | None, everyones: bool, yes: bool) -> int:
    """Stop all experiments and training runs on the cluster, and delete what they have there. They are shown first."""
    return asyncio.run(_stop_all(the_cluster(cluster_name), everyones, yes))


async def _stop_all(cluster: "Cluster", everyones: bool, yes: bool) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.jobs.removal import remove_work
    from tasks.kubernetes.jobs.workload import read_workload

    async with open_cluster(cluster) as connection:
        attempts = [one for one in await read_workload(connection) if one.work]
        if not attempts:
            say("nothing of trialflow's runs here")
            return 0
        async with service_session() as (home, client):
            targets, strangers = targets_of(attempts, await known_of(client, attempts))
            for target in targets:
                say(f"{target.name}: {_in_words(target)}")
            for work, some in strangers.items():
                say(f"{work}: {_counted(some)}; not of this service, {'stopped as well' if everyones else 'left as it is (--all takes it too)'}")
            if not targets and not everyones:
                return 0
            again = f"trialflow cluster stop-all --cluster-name {cluster.name}" + (" --all" if everyones else "") + " --yes"
            if not go_ahead("stop all this?", yes=yes, again=again):
                return 1
            code = await _stop_targets((home, client, connection), targets)
            for work in strangers if everyones else ():
                try:
                    await remove_work(connection, work)
                    click.echo(f"{work}: deleted")
                except TrialflowError as problem:
                    click.echo(f"{work}: not stopped")
                    code = max(code, _tell(problem))
            return code


def targets_of(attempts: "list[AttemptStatus]", known: Known) -> "tuple[list[Target], dict[str, list[AttemptStatus]]]":
    """What is on the cluster as targets, and by work what the service does not know."""
    works: dict[str, list[AttemptStatus]] = defaultdict(list)
    for one in attempts:
        if one.work:
            works[one.work].append(one)
    targets, strangers = [], {}
    for work, some in works.items():
        if work in known.experiments:
            targets.append(Target(experiment=known.experiments[work], attempts=some))
        elif work in known.works:
            targets.append(Target(run=known.runs[work], attempts=some))
        else:
            strangers[work] = some
    return targets, strangers


def _in_words(target: Target) -> str:
    thing = target.experiment or target.run
    assert thing is not None
    return f'"{thing["name"]}", {_counted(target.attempts)}'


def _counted(attempts: "list[AttemptStatus]") -> str:
    if not attempts:
        return "nothing on the cluster"
    phases = [one.phase for one in attempts]
    return ", ".join(f"{phases.count(phase)} {phase.lower()}" for phase in dict.fromkeys(phases))


def _tell(problem: TrialflowError) -> int:
    error(problem.message)
    if problem.hint:
        hint(problem.hint)
    return problem.exit_code
