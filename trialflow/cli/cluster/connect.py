"""`trialflow cluster connect`, `list` and `disconnect`."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.prefect_client import explained
from trialflow.cli.reaching import note_server
from trialflow.cli.terminal.messages import hint, next_commands, say, warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.cluster.installation import Installed
    from tasks.operations.connecting import Connected


@click.command()
@click.option("-n", "--cluster-name", metavar="NAME", help="The name it gets here.")
@click.option("--provider", type=click.Choice(["custom", "aws"]), help="Where it is; custom is any cluster with a kubeconfig.")
@click.option("--kubeconfig", metavar="FILE", help="Its kubeconfig; by default KUBECONFIG, else ~/.kube/config.")
@click.option("--region", metavar="NAME", help="The AWS region of a cluster of provider aws; by default that of the credentials.")
@click.option("--context", metavar="NAME", help="The context of the kubeconfig; by default its current one.")
@click.option("--registry", metavar="HOST:PORT/PATH", help="Where images for it go.")
@click.option("--namespace", metavar="NAME", help="The namespace of training runs; by default orchestrate, in a pod its own.")
@click.option("--api-url", metavar="URL", help="A service that pods can reach; without one they need none.")
@click.option("-f", "--filename", metavar="FILE", help="A cluster.yml with all this; options come before what it says.")
@click.option("--no-install", is_flag=True, help="Make nothing on the cluster.")
def connect(filename: str | None, no_install: bool, **options: str | None) -> None:
    """Connect a cluster and make it the current one. It can be done again at any time.

    A namespace, two service accounts, the rights of one of them and a network policy are made, unless --no-install is given. What you are not
    allowed to make is shown.
    """
    from tasks.operations.connecting import ConnectRequest, describe_cluster, keep_cluster
    from trialflow.api.session import flow_session

    home = Home.from_environment()
    cluster = asyncio.run(describe_cluster(ConnectRequest(**_wanted(filename, options)), environ=os.environ))
    connected = asyncio.run(_set_up(cluster, home, install_too=not no_install))
    if connected.missing:
        warn(f"without the right to {', '.join(map(str, connected.missing))} less can be told about what is pending or lost")
    with flow_session(), explained():
        asyncio.run(keep_cluster(cluster, home))
    say(f"connected cluster {cluster.name}; it is the current one")
    with contextlib.suppress(TrialflowError):  # connected it is all the same
        if note_server(cluster):
            say("it has a trialflow server, to which `cluster optimize` leaves experiments")
    next_commands(["trialflow cluster test", "trialflow cluster optimize"])


def _wanted(filename: str | None, options: dict[str, str | None]) -> dict[str, Any]:
    if filename is None:
        return options
    from trialflow.specs import load_cluster

    spec = load_cluster(filename)
    found: dict[str, Any] = {name: given or getattr(spec, name) for name, given in options.items()}
    if found["provider"] == "aws":
        from tasks.aws.preparing import keys_of

        found["keys"] = keys_of(spec)
    found["prices"] = spec.prices
    if not options["kubeconfig"] and spec.kubeconfig:
        found["kubeconfig"] = str(Path(filename).absolute().parent / Path(spec.kubeconfig).expanduser())
    return found


async def _set_up(cluster: "Cluster", home: Home, *, install_too: bool) -> "Connected":
    from tasks.operations.connecting import apply_connect, plan_connect

    plan = await plan_connect(cluster, home, install_too=install_too)
    say(f"Kubernetes {plan.version} answers at {plan.server}")
    return await apply_connect(plan, on_installed=tell_installed)


def tell_installed(one: "Installed") -> None:
    """Say what became of one thing."""
    (say if one.outcome != "not allowed" else warn)(str(one))


@click.command("list")
@output_option
def list_(output: str) -> None:
    """List the clusters that are connected. The current one is marked."""
    from tasks.kubernetes.cluster.saved import CONNECT, Clusters

    clusters = Clusters(Home.from_environment())
    found = []
    for name in clusters.names():
        try:
            found.append(clusters.load(name))
        except TrialflowError as error:
            warn(error.message)
    if not found and output == "table":
        say("no cluster is connected")
        hint(CONNECT)
        return
    current = clusters.current()
    facts = ("name", "provider", "namespace", "server", "context", "registry", "api_url")
    data = [{**{name: getattr(one, name) for name in facts}, "current": one.name == current} for one in found]
    rows = [["*" if one.name == current else "", one.name, one.provider, one.namespace, one.server, one.registry] for one in found]
    columns = ["CURRENT", "NAME", "PROVIDER", "NAMESPACE", "SERVER", "REGISTRY"]
    show(data, output=output, names=[one.name for one in found], columns=columns, rows=rows)


@click.command()
@click.argument("name", required=False)
@click.option("-n", "--cluster-name", metavar="NAME", help="The cluster, as SigOpt has it.")
def disconnect(name: str | None, cluster_name: str | None) -> None:
    """Forget a cluster: by default the current one. Nothing on the cluster is touched, training runs go on."""
    from tasks.operations.connecting import apply_disconnect, plan_disconnect
    from trialflow.api.session import flow_session

    if name and cluster_name and name != cluster_name:
        raise InvalidInput(f"two clusters are named, {name} and {cluster_name}", hint="name one")
    home = Home.from_environment()
    plan = plan_disconnect(home, name or cluster_name)
    with flow_session(), explained():
        asyncio.run(apply_disconnect(plan, home))
    say(f"forgot cluster {plan.name}; nothing on it was touched")
    if plan.next:
        say(f"the current cluster is {plan.next}")
