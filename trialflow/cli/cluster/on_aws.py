"""What the commands for clusters on AWS share: who we are, what is asked, and a flow with its progress on the screen."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.prefect_client import explained
from trialflow.cli.terminal.messages import say
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.aws.session import Aws, Keys

region_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--region", metavar="NAME", help="The AWS region; by default the cluster's, if it is connected, else that of the credentials."
)
credentials_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--credentials", metavar="BLOCK", help="A Prefect block of AWS credentials; by default AWS_PROFILE, AWS_ACCESS_KEY_ID and so on."
)


def given_keys(credentials: str | None, name: str | None = None) -> "Keys | None":
    """The keys of a block, else those that the connected cluster `name` is used with; None for the usual chain."""
    from tasks.aws.session import Keys

    if credentials:
        from trialflow.api.session import flow_session

        with flow_session():
            from flows.aws_steps import keys_of_block

            with explained():
                return asyncio.run(keys_of_block(credentials))
    known = known_sign_in(name)
    return Keys.from_environment(known.environment) if known else None


def known_sign_in(name: str | None) -> Any:
    """How the connected cluster of this name signs in to EKS; None if there is none, or it is not on AWS."""
    from tasks.kubernetes.client.eks_token import sign_in_of
    from tasks.kubernetes.client.kubeconfig import user_of
    from tasks.kubernetes.cluster.saved import Clusters

    clusters = Clusters(Home.from_environment())
    if name is None or name not in clusters.names():
        return None
    kubeconfig = clusters.load(name).kubeconfig
    return sign_in_of(user_of(kubeconfig)) if kubeconfig else None


def signed_in(name: str, region: str | None, credentials: str | None) -> "Aws":
    """The AWS identity for a cluster: in its region, with its keys, unless others are given."""
    from tasks.aws.session import Aws

    known = known_sign_in(name)
    return Aws(given_keys(credentials, name), region=region or (known.region if known else None))


def require_terminal(again: str) -> None:
    """Raise `InvalidInput` with `again`, the command that asks nothing, where nobody can be asked."""
    if not sys.stdin.isatty():
        raise InvalidInput("nothing was done: there is no terminal to ask at", hint=f"`{again}` does it without asking")


def run_on_aws(flow: Callable[[], Coroutine[Any, Any, Any]], keys: "Keys | None", again: str) -> tuple[Any, bool]:
    """Run a flow with these keys in a session that is up, with its progress on stderr. Returns its result, and whether it was interrupted."""
    from trialflow.cli.running import run_flow
    from trialflow.events import Event, watcher

    def watch(event: Event) -> None:
        if event.text:
            say(event.text)

    from flows.aws_steps import given_keys as keys_of_flow

    watcher.set(watch)
    keys_of_flow.set(keys)
    return run_flow(flow, on_interrupt=f"stopping; what AWS has begun goes on, and `{again}` takes it up")
