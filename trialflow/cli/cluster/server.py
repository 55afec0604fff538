"""trialflow's server on a cluster: put there by `install-plugins --server`, opened by `server`, taken away by `clean --server`."""

import asyncio
import signal
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.options import cluster_option, go_ahead, the_cluster
from trialflow.cli.reaching import Reached, note_server, server_of
from trialflow.cli.terminal.messages import hint, next_commands, say, warn
from trialflow.errors import InvalidInput, TrialflowError

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.operations.server import RemovalPlan


@dataclass(frozen=True)
class ServerAsked:
    """What was asked of the server's installation; None is for what stays as it is."""

    image: str | None = None
    storage: str | None = None
    api_address: str | None = None
    database: str | None = None


def install(cluster: "Cluster", asked: ServerAsked, *, yes: bool) -> int:
    """Put the server there, and wait until it is ready. Returns the exit code."""
    from trialflow.cli.terminal.image_progress import image_shown

    with image_shown():
        code = asyncio.run(_install(cluster, asked, yes))
    note_server(cluster)
    return code


async def _install(cluster: "Cluster", asked: ServerAsked, yes: bool) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.operations.server import apply_server, plan_server, until_ready

    async with open_cluster(cluster) as connection:
        async with plan_server(connection, **asdict(asked)) as plan:
            if plan.note:
                warn(plan.note)
            if plan.options.claim is None and plan.options.keeps_experiments:
                say("there is no volume: experiments are in the database, but logs and the files that models log are gone when the pod is replaced")
                hint("`--server-storage SIZE` keeps them too")
            if not plan.options.keeps_experiments:
                warn("with storage none, experiments and everything else that the server knows are gone when its pod is replaced")
                again = f"trialflow cluster install-plugins --server --server-storage none --cluster-name {cluster.name} --yes"
                if (asked.storage or asked.database) and not go_ahead("go on?", yes=yes, again=again):
                    return 1
            if plan.image is None:
                say("the server's image is built and pushed; the first time takes minutes")
            await apply_server(plan, connection, on_installed=lambda one: say(str(one)))
        await until_ready(connection, tell=say)
    say(f"the server of cluster {cluster.name} is ready")
    next_commands(["trialflow cluster optimize --detach", "trialflow cluster server", "trialflow cluster clean --server"])
    return 0


def remove(cluster: "Cluster", *, keep_data: bool, yes: bool) -> int:
    """Take the server away, once the user has agreed to what is deleted. Returns the exit code."""
    code = asyncio.run(_remove(cluster, keep_data, yes))
    note_server(cluster)
    return code


async def _remove(cluster: "Cluster", keep_data: bool, yes: bool) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.operations.server import apply_removal, plan_removal

    async with open_cluster(cluster) as connection:
        plan = await plan_removal(connection, keep_data=keep_data)
        if not plan.kinds:
            say(f"cluster {cluster.name} has no trialflow server in namespace {cluster.namespace}")
            return 0
        for line in _what_goes(plan):
            say(line)
        again = f"trialflow cluster clean --server{' --keep-data' if keep_data else ''} --cluster-name {cluster.name} --yes"
        if not go_ahead("delete the server?", yes=yes, again=again):
            return 1
        async for name in apply_removal(plan, connection):
            click.echo(f"{name}: deleted")
    return 0


def _what_goes(plan: "RemovalPlan") -> list[str]:
    from tasks.kubernetes.server.manifests import NAME

    lines = [f"deleted: {', '.join(f'{kind} {NAME}' for kind in plan.kinds)}"]
    if plan.loses:
        lines.append("with the volume all experiments of the server are lost; --keep-data keeps it for a later `install-plugins --server`")
    if plan.attempts:
        lines.append(f"{plan.attempts} training runs are on the cluster: those of this server go on, and nobody collects them")
    return lines


@click.command()
@cluster_option
def server(cluster_name: str | None) -> int:
    """Open the way to the cluster's server until Ctrl-C: its Prefect UI, its pages, and what other commands need to use it.

    Nothing of the server is open to the network: the way leads through the Kubernetes API.
    """
    from tasks.kubernetes.server.manifests import PREFECT_PORT, SERVICE_PORT
    from trialflow.embedded import holder_of

    cluster = the_cluster(cluster_name)
    if holder := holder_of(PREFECT_PORT):
        message = f"port {PREFECT_PORT}, which the server's UI needs on this machine, is taken by {holder}"
        raise InvalidInput(message, hint="`trialflow down` ends a server of your own; or end that process")
    try:
        with server_of(cluster, ports={PREFECT_PORT: PREFECT_PORT, SERVICE_PORT: 0}) as reached:
            say(f"Prefect UI: {reached.ui_url}")
            say("for other commands, in another shell:")
            for line in exports(reached):
                click.echo(line)
            hint("Ctrl-C closes it; what runs goes on")
            _until_signal()
    except OSError as error:
        raise TrialflowError(f"could not listen on port {PREFECT_PORT}: {error.strerror or error}") from error
    return 0


def exports(reached: Reached) -> list[str]:
    """What a shell is told so that commands in it use the server. Nothing secret is in it: kubectl fetches that."""
    secret = f"trialflow cluster kubectl --cluster-name {reached.cluster.name} get secret trialflow-server"
    token, prefect_token = (f"$({secret} -o jsonpath='{{.data.{key}}}' | base64 -d)" for key in ("token", "prefect-token"))
    return [
        f'export SIGOPT_API_URL={reached.service_url} SIGOPT_API_TOKEN="{token}"',
        f'export PREFECT_API_URL={reached.prefect_url} PREFECT_API_AUTH_STRING="trialflow:{prefect_token}"',
    ]


def _until_signal() -> None:
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    asked.wait()
