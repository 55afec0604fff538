"""`trialflow follow`, and the part of `trialflow optimize` that follows: shown here, done elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from trialflow.cli.best import show_summary
from trialflow.cli.latest import last_started
from trialflow.cli.letting_go import let_go
from trialflow.cli.options import project_here, project_option
from trialflow.cli.prefect_client import open_client
from trialflow.cli.reaching import here_option, server_meant
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.output import output_option
from trialflow.cli.tracking import follow_to_the_end
from trialflow.errors import InvalidInput
from trialflow.results.links import FLOW_RUN

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from flows.on_cluster import OnCluster
    from trialflow.api.session import Session
    from trialflow.cli.triggering import Order
    from trialflow.embedded import Standing


@click.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("-n", "--cluster-name", metavar="NAME", help="On that cluster's server; by default the current cluster's, if nothing is up here.")
@here_option
@project_option
@output_option
def follow(identifier: str | None, cluster_name: str | None, here: bool, project: str | None, output: str) -> int:
    """Follow an experiment that a flow run works on elsewhere, and show its end.

    ID is an experiment (12, experiment/12) or a flow run; by default what was started last in the project. After a crash, the flow run that goes on
    with the experiment is followed. Ctrl-C asks whether to let go or to stop it. The exit code is that of the end.
    """
    from trialflow.api.session import flow_session

    with server_meant(cluster_name, here) as is_elsewhere, flow_session() as session:
        return asyncio.run(_follow(session, identifier, project, output, is_elsewhere))


def trigger_and_follow(
    found: "Standing",
    order: "Order",
    on_cluster: "Callable[[], OnCluster] | None",
    *,
    always_new: bool,
    detach: bool,
    show_end: Callable[[dict[str, Any]], None],
) -> int:
    """Trigger the deployment for an experiment, and follow it unless it is to be left alone. Returns the exit code.

    `on_cluster` is called once Prefect answers.
    """
    from trialflow.api.session import flow_session

    with flow_session() as session:
        order = replace(order, cluster=on_cluster() if on_cluster else None)
        return asyncio.run(_trigger(session, found, order, always_new, detach, show_end))


async def _trigger(
    session: "Session", found: "Standing", order: "Order", always_new: bool, detach: bool, show_end: Callable[[dict[str, Any]], None]
) -> int:
    from trialflow.cli.triggering import trigger

    async with open_client() as client:
        run, is_joined = await trigger(client, order, found.queue, always_new=always_new)
        say(f"a flow run is at work on it already: {run.name}" if is_joined else "triggered optimize/optimize")
        say(f"watch: {session.ui_url}/runs/flow-run/{run.id}")
        if detach:
            return await let_go(client, run, show_end=show_end, follow="trialflow follow", also="trialflow experiment stop")
        return await follow_to_the_end(client, run.id, is_joined=is_joined, show_end=show_end)


async def _follow(session: "Session", identifier: str | None, project: str | None, output: str, is_elsewhere: bool) -> int:
    async with open_client() as client:
        flow_run_id = await _flow_run_of(client, identifier, project)
        if not is_elsewhere:
            say(f"watch: {session.ui_url}/runs/flow-run/{flow_run_id}")
        return await follow_to_the_end(client, flow_run_id, is_joined=True, show_end=lambda ended: show_summary(ended["summary"], output))


async def _flow_run_of(client: "PrefectClient", identifier: str | None, project: str | None) -> UUID:
    """The flow run that is meant: its own id, the last one that worked on an experiment, or the last one of the project.

    One that was just triggered has no experiment yet, and works on another one than the newest perhaps.
    """
    from prefect.exceptions import ObjectNotFound

    from tasks.experiments.identifiers import find_experiment
    from tasks.experiments.resume import flow_runs_of
    from trialflow.api.session import service_session

    here = project_here(project)
    if identifier is None and (last := await last_started(client, here)):
        return last.id
    if identifier and FLOW_RUN.fullmatch(identifier):
        wanted = [identifier]
        what = f"flow run {identifier}"
    else:
        async with service_session() as (_, service):
            experiment = await find_experiment(service, identifier, here)
        wanted, what = flow_runs_of(experiment), f"a flow run of experiment {experiment['id']}"
    for one in wanted[:1]:
        with contextlib.suppress(ObjectNotFound):
            return (await client.read_flow_run(UUID(one))).id
    raise InvalidInput(
        f"this Prefect server does not know {what}", hint="PREFECT_API_URL names another server; `trialflow experiment show` needs none"
    )
