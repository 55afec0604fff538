"""`trialflow cluster clean`."""

import asyncio
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.asking import go_ahead
from trialflow.cli.cluster.known import known_of
from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.cli.cluster.status import width
from trialflow.cli.session import service_session
from trialflow.cli.terminal.messages import error, hint, say
from trialflow.errors import TrialflowError
from trialflow.results.text import table

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.client.connection import Connection
    from tasks.kubernetes.jobs.orphans import Decision, Facts, Thing


@click.command()
@cluster_option
@click.option("--all", "everyones", is_flag=True, help="Also what has ended and this service does not know: it may be another user's.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def clean(cluster_name: str | None, everyones: bool, yes: bool) -> int:
    """Delete what is left over on the cluster: Jobs that have ended, and what experiments had that nobody works on.

    Nothing is touched that runs, or that holds a result which has not been taken. What goes and what stays is shown first.
    """
    return asyncio.run(_clean(the_cluster(cluster_name), everyones, yes))


async def _clean(cluster: "Cluster", everyones: bool, yes: bool) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.jobs.orphans import plan, read_things

    async with open_cluster(cluster) as connection:
        things = await read_things(connection)
        if not things:
            say("nothing of trialflow's is on the cluster")
            return 0
        decisions = plan(things, await _facts(things), everyones=everyones)
        going = [one for one in decisions if one.goes]
        rows = [[one.thing.kind, one.thing.name, "deleted" if one.goes else "stays", one.why] for one in decisions]
        say(table(("KIND", "NAME", "", "WHY"), rows, width=width()))
        if not going:
            say("nothing is left over")
            return 0
        again = f"trialflow cluster clean --cluster-name {cluster.name}" + (" --all" if everyones else "") + " --yes"
        if not go_ahead(f"delete {len(going)} of {len(decisions)}?", yes=yes, again=again):
            return 1
        # A flow may have begun while we asked: what it needs is in the facts of now.
        things = await read_things(connection)
        still = {one.thing for one in plan(things, await _facts(things), everyones=everyones) if one.goes}
        return await _delete(connection, [one for one in going if one.thing in still])


async def _facts(things: "list[Thing]") -> "Facts":
    from tasks.kubernetes.jobs.orphans import Facts

    async with service_session() as (home, client):
        from trialflow.cli.working import who_works

        known = await known_of(client, things)
        workers = {work: await who_works(home, client.url, experiment) for work, experiment in known.experiments.items()}
    return Facts(known.works, frozenset(work for work, worker in workers.items() if worker), known.active)


async def _delete(connection: "Connection", going: "list[Decision]") -> int:
    from tasks.kubernetes.jobs.orphans import delete_thing

    code = 0
    for one in going:
        name = f"{one.thing.kind.lower()}/{one.thing.name}"
        try:
            await delete_thing(connection, one.thing)
            click.echo(f"{name}: deleted")
        except TrialflowError as problem:
            click.echo(f"{name}: not deleted")
            error(problem.message)
            if problem.hint:
                hint(problem.hint)
            code = problem.exit_code
    return code
