"""`trialflow cluster stop` and `stop-all`."""

import asyncio
import shlex
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.options import cluster_option, cluster_session, go_ahead, tell, tell_failure, the_cluster, yes_option
from trialflow.cli.options import project_here, project_option
from trialflow.cli.reaching import here_option, server_if_any
from trialflow.cli.terminal.messages import hint, say

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.operations.stopping import StopPlan
    from tasks.operations.targets import ClusterSession


@click.command()
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@cluster_option
@here_option
@project_option
@yes_option
def stop(identifiers: tuple[str, ...], cluster_name: str | None, here: bool, project: str | None, yes: bool) -> int:
    """Stop experiments or training runs, and delete what they have on the cluster.

    An experiment (12, experiment/12) goes on with the same `optimize` again. A training run (run/34, suggestion/34, or its name) counts as failed
    when it is stopped. All IDs are tried; the exit code is 1 if one could not be stopped.
    """
    if not identifiers:
        say("nothing was named, so there is nothing to stop")
        hint("`trialflow cluster stop experiment/12` stops an experiment; `trialflow cluster stop-all` stops everything; `cluster status` shows it")
        return 0
    cluster = the_cluster(cluster_name)
    with server_if_any(cluster, here=here):
        return asyncio.run(_stop(cluster, identifiers, project_here(project), yes))


async def _stop(cluster: "Cluster", identifiers: tuple[str, ...], project: str, yes: bool) -> int:
    from tasks.operations.stopping import plan_stop

    async with cluster_session(cluster) as session:
        plan = await plan_stop(session, identifiers, project)
        code = max((tell_failure(failure) for failure in plan.failures), default=0)
        again = "trialflow cluster stop " + " ".join(map(shlex.quote, identifiers)) + f" --cluster-name {cluster.name} --yes"
        return max(code, await _ask_and_stop(plan, session, "stop?", yes=yes, again=again))


@click.command("stop-all")
@cluster_option
@here_option
@click.option("--all", "everyones", is_flag=True, help="Also what this service does not know: it may be another user's.")
@yes_option
def stop_all(cluster_name: str | None, here: bool, everyones: bool, yes: bool) -> int:
    """Stop all experiments and training runs on the cluster, and delete what they have there. They are shown first."""
    cluster = the_cluster(cluster_name)
    with server_if_any(cluster, here=here):
        return asyncio.run(_stop_all(cluster, everyones, yes))


async def _stop_all(cluster: "Cluster", everyones: bool, yes: bool) -> int:
    from tasks.operations.stopping import plan_stop_all

    async with cluster_session(cluster) as session:
        plan = await plan_stop_all(session, everyones=everyones)
        if not plan.items and not plan.left:
            say("nothing of trialflow's runs here")
        again = f"trialflow cluster stop-all --cluster-name {cluster.name}" + (" --all" if everyones else "") + " --yes"
        return await _ask_and_stop(plan, session, "stop all this?", yes=yes, again=again)


async def _ask_and_stop(plan: "StopPlan", session: "ClusterSession", question: str, *, yes: bool, again: str) -> int:
    from tasks.operations.stopping import apply_stop

    for item in plan.items:
        say(f"{item.name}: {item}" + ("; not of this service" if item.kind == "unknown" else ""))
    for item in plan.left:
        say(f"{item.name}: {item}; not of this service, left as it is (--all takes it too)")
    if not plan.items:
        return 0
    if not go_ahead(question, yes=yes, again=again):
        return 1
    return max([tell(result) async for result in apply_stop(plan, session)], default=0)
