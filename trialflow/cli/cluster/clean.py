"""`trialflow cluster clean`."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.options import cluster_option, cluster_session, go_ahead, tell, the_cluster, width, yes_option
from trialflow.cli.reaching import here_option, server_if_any
from trialflow.cli.terminal.messages import hint, say
from trialflow.errors import InvalidInput
from trialflow.results.text import table

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster


@click.command()
@cluster_option
@click.option("--all", "everyones", is_flag=True, help="Also what has ended and this service does not know: it may be another user's.")
@click.option("--images/--no-images", default=None, help="Also remove images on this machine that trialflow built; asked by default.")
@click.option("--server", "is_server", is_flag=True, help="Instead: delete trialflow's server on the cluster, with what it knows.")
@click.option("--keep-data", is_flag=True, help="With --server: keep its volume, for a server that is installed later.")
@here_option
@yes_option
def clean(cluster_name: str | None, everyones: bool, images: bool | None, is_server: bool, keep_data: bool, here: bool, yes: bool) -> int:
    """Delete what is left over on the cluster: Jobs that have ended, and what experiments had that nobody works on.

    Nothing is touched that runs, or that holds a result which has not been taken. What goes and what stays is shown first. Images that trialflow
    built and that the Docker engine here still has are offered afterwards: registries keep theirs.
    """
    cluster = the_cluster(cluster_name)
    if keep_data and not is_server:
        raise InvalidInput("--keep-data was given without --server", hint="add --server, or leave it out")
    if is_server:
        from trialflow.cli.cluster.server import remove

        return remove(cluster, keep_data=keep_data, yes=yes)
    with server_if_any(cluster, here=here):
        code = asyncio.run(_clean(cluster, everyones, yes))
    return max(code, asyncio.run(_clean_images(images, yes)))


async def _clean(cluster: "Cluster", everyones: bool, yes: bool) -> int:
    from tasks.operations.cleaning import apply_clean, plan_clean

    async with cluster_session(cluster) as session:
        plan = await plan_clean(session, everyones=everyones)
        if not plan.verdicts:
            say("nothing of trialflow's is on the cluster")
            return 0
        rows = [[one.thing.kind, one.thing.name, "deleted" if one.goes else "stays", one.why] for one in plan.verdicts]
        say(table(("KIND", "NAME", "", "WHY"), rows, width=width()))
        if not plan.going:
            say("nothing is left over")
            return 0
        again = f"trialflow cluster clean --cluster-name {cluster.name}" + (" --all" if everyones else "") + " --yes"
        if not go_ahead(f"delete {len(plan.going)} of {len(plan.verdicts)}?", yes=yes, again=again):
            return 1
        return max([tell(result) async for result in apply_clean(plan, session)], default=0)


async def _clean_images(wanted: bool | None, yes: bool) -> int:
    """`--yes` alone is about the cluster: images on this machine go only if they were asked for."""
    from tasks.operations.cleaning import apply_image_removal, plan_image_removal

    if wanted is False or not (found := await plan_image_removal()):
        return 0
    names = [name for image in found for name in image.names or (image.id,)]
    say(f"images that trialflow built on this machine: {len(names)}")
    for name in names[:5]:
        say(f"  {name}")
    if len(names) > 5:
        say(f"  and {len(names) - 5} more")
    if wanted is None and (yes or not sys.stdin.isatty()):
        hint("`trialflow cluster clean --images` removes them")
        return 0
    if not go_ahead("remove them from this machine?", yes=yes, again="trialflow cluster clean --images --yes"):
        return 0
    return max([tell(result) async for result in apply_image_removal(found)], default=0)
