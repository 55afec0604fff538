"""`trialflow cluster test`."""

import asyncio
from dataclasses import asdict

import click

from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.cli.terminal.output import output_option, show
from trialflow.results.checks import CHECK_COLUMNS, check_rows, problems


@click.command()
@cluster_option
@output_option
def test(cluster_name: str | None, output: str) -> int:
    """Find out whether a cluster is fit to work on. Exit code 1 if something is wrong that training runs cannot do without."""
    from tasks.operations.checking import check_cluster

    found = asyncio.run(check_cluster(the_cluster(cluster_name)))
    show([asdict(one) for one in found], output=output, names=problems(found), columns=CHECK_COLUMNS, rows=check_rows(found))
    return 1 if any(one.state == "fail" for one in found) else 0
