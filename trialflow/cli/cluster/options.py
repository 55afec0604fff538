"""What the commands of `trialflow cluster` have in common: the option that names a cluster, what they work with, and how they ask and show."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from trialflow.api.session import service_session
from trialflow.cli.terminal.messages import error, hint, warn
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.operations.results import Failure, Result
    from tasks.operations.targets import ClusterSession

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
cluster_option: Decorator = click.option(
    "-n", "--cluster-name", metavar="NAME", help="The cluster; by default the current one, which `cluster connect` sets."
)
dockerfile_option: Decorator = click.option("-d", "--dockerfile", metavar="FILE", help="The Dockerfile of the image; by default `Dockerfile`.")
no_build_option: Decorator = click.option("--no-build", is_flag=True, help="Use the image of run.yml as it is, even if there is a Dockerfile.")
yes_option: Decorator = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def the_cluster(name: str | None) -> "Cluster":
    """The cluster of that name, the current one if None. Raises `InvalidInput` if there is none."""
    from tasks.kubernetes.cluster.saved import Clusters

    return Clusters(Home.from_environment()).load(name)


@asynccontextmanager
async def cluster_session(cluster: "Cluster") -> "AsyncIterator[ClusterSession]":
    """What an operation on the cluster needs, open until the end."""
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.operations.targets import ClusterSession

    async with open_cluster(cluster) as connection, service_session() as (home, client):
        yield ClusterSession(home, client, connection)


def go_ahead(question: str, *, yes: bool, again: str) -> bool:
    """Whether the user agrees. Raises `InvalidInput` with `again`, the command that does it, where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInput("nothing was done: this deletes things, and there is no terminal to ask at", hint=f"`{again}` does it without asking")
    return click.confirm(question, default=False, err=True)


def tell(result: "Result") -> int:
    """Show what became of one thing: the fact on stdout, the reason of a failure on stderr. Returns the exit code that it stands for."""
    if result.warning:
        warn(result.warning)
    click.echo(f"{result.name}: {result.text}")
    return tell_failure(result.failure) if result.failure else 0


def tell_failure(failure: "Failure") -> int:
    """Say why something could not be done. Returns its exit code."""
    error(failure.message)
    if failure.hint:
        hint(failure.hint)
    return failure.exit_code


def width() -> int | None:
    """The width of the terminal; None where stdout is none, so that programs get whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
