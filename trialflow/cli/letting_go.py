"""`--detach`: the command returns as soon as the experiment has a number, and leaves it to the flow run that works on it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.tracking import conclude

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from trialflow.cli.following import End

BEGIN_SECONDS = 120.0
"""How long it waits for the number: a worker that is at work takes seconds, on a busy machine a minute."""


async def let_go(client: "PrefectClient", run: "FlowRun", *, show_end: Callable[[dict[str, Any]], None], follow: str, also: str) -> int:
    """Name the experiment of a flow run as soon as it has one, and say what to do next. A flow run that ends before that says why.

    `follow` and `also` are commands that the number is added to. Returns the exit code.
    """
    experiment, end = await _beginning(client, run)
    if experiment is not None:
        click.echo(f'Started "experiment/{experiment}"')
        next_commands([f"{follow} {experiment}", f"{also} {experiment}"])
        return 0
    if end is not None:
        from trialflow.results.board import Board

        return await conclude(end, Board(), show_end)
    say("it has not begun yet, and will when a worker comes to it")
    next_commands([f"{follow} {run.id}"])
    return 0


async def _beginning(client: "PrefectClient", run: "FlowRun") -> "tuple[str | None, End | None]":
    """The number of the experiment, or how the flow run ended without one; neither if it takes too long."""
    from flows.crashes import experiment_of
    from trialflow.cli.following import Follower
    from trialflow.events import Event

    if (known := experiment_of(run)) is not None:
        return known, None
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take(event: Event) -> None:
        if event.kind == "experiment" and not begun.done():
            begun.set_result(str(event.facts["experiment"]["id"]))

    following = asyncio.ensure_future(Follower(client, run.id, take=take, tell=say).follow())
    await asyncio.wait({begun, following}, timeout=BEGIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if following.done() and not begun.done():
        return None, following.result()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    return (begun.result() if begun.done() else None), None
