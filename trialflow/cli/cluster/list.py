"""`trialflow cluster list`."""

import click

from trialflow.cli.terminal.messages import hint, say, warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import TrialflowError
from trialflow.home import Home


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
