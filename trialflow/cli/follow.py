"""`trialflow follow`, and the part of `trialflow optimize` that follows: shown here, done elsewhere."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from trialflow.cli.best import show_summary
from trialflow.cli.options import project_here, project_option
from trialflow.cli.prefect_client import open_client
from trialflow.cli.reaching import here_option, server_if_any, server_of
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.terminal.output import output_option
from trialflow.errors import ExperimentFailed, InvalidInput, TrialflowError
from trialflow.events import Event
from trialflow.home import Home
from trialflow.results.links import FLOW_RUN

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from flows.cluster import OnCluster
    from trialflow.api.session import Session
    from trialflow.cli.following import End
    from trialflow.cli.triggering import Order
    from trialflow.embedded import Standing
    from trialflow.results.board import Board

ASKED = "let go of it (it goes on), or stop it? [l/s, anything else follows on]"


@click.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("-n", "--cluster-name", metavar="NAME", help="On that cluster's server; by default the current cluster's, if nothing is up here.")
@here_option
@project_option
@output_option
def follow(identifier: str | None, cluster_name: str | None, here: bool, project: str | None, output: str) -> int:
    """Follow an experiment that a flow run works on elsewhere, and show its end.

    ID is an experiment (12, experiment/12) or a flow run; by default the newest experiment of the project. Ctrl-C asks whether to let go or to stop
    it. The exit code is that of the end.
    """
    from trialflow.api.session import flow_session

    with _server(cluster_name, here) as is_elsewhere, flow_session() as session:
        return asyncio.run(_follow(session, identifier, project, output, is_elsewhere))


@contextmanager
def _server(cluster_name: str | None, here: bool) -> Iterator[bool]:
    """Point this process at the server of a cluster, if that is meant. Yields whether it is."""
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.cli.triggering import standing_here
    from trialflow.prefect_api import prefect_api_url

    clusters = Clusters(Home.from_environment())
    if cluster_name:
        with server_of(clusters.load(cluster_name)):
            yield True
        return
    current = clusters.current()
    if current is None or prefect_api_url() or standing_here():
        yield False
        return
    with server_if_any(clusters.load(current), here=here) as reached:
        if reached:
            say(f"on the server of cluster {current}")
        yield reached is not None


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
            next_commands([f"trialflow follow {run.id}", "trialflow experiment list"])
            return 0
        return await follow_to_the_end(client, run.id, is_joined=is_joined, show_end=show_end)


async def _follow(session: "Session", identifier: str | None, project: str | None, output: str, is_elsewhere: bool) -> int:
    async with open_client() as client:
        flow_run_id = await _flow_run_of(client, identifier, project)
        if not is_elsewhere:
            say(f"watch: {session.ui_url}/runs/flow-run/{flow_run_id}")
        return await follow_to_the_end(client, flow_run_id, is_joined=True, show_end=lambda ended: show_summary(ended["summary"], output))


async def _flow_run_of(client: "PrefectClient", identifier: str | None, project: str | None) -> UUID:
    """The flow run that is meant: its own id, or the last one that worked on an experiment."""
    from prefect.exceptions import ObjectNotFound

    from tasks.experiments.identifiers import find_experiment
    from tasks.experiments.resume import flow_runs_of
    from trialflow.api.session import service_session

    if identifier and FLOW_RUN.fullmatch(identifier):
        wanted = [identifier]
        what = f"flow run {identifier}"
    else:
        async with service_session() as (_, service):
            experiment = await find_experiment(service, identifier, project_here(project))
        wanted, what = flow_runs_of(experiment), f"a flow run of experiment {experiment['id']}"
    for one in wanted[:1]:
        with contextlib.suppress(ObjectNotFound):
            return (await client.read_flow_run(UUID(one))).id
    raise InvalidInput(
        f"this Prefect server does not know {what}", hint="PREFECT_API_URL names another server; `trialflow experiment show` needs none"
    )


async def follow_to_the_end(client: "PrefectClient", flow_run_id: UUID, *, is_joined: bool, show_end: Callable[[dict[str, Any]], None]) -> int:
    """Show a flow run to its end, or until the user lets go of it. Returns the exit code."""
    from trialflow.cli.following import Follower, now
    from trialflow.cli.terminal.live import shown
    from trialflow.results.board import Board

    board = Board()
    with shown(board) as view:
        snapshot = None
        if is_joined and (past := await _past(client, flow_run_id)):
            snapshot = (past.ended, now())
            for event in past.events:
                board.take(event, asyncio.get_running_loop().time()) if event.kind == "launched" else view(event)
            say(f'experiment {board.experiment_id} "{board.name}": {board.progress} training runs done')

        def take(event: Event) -> None:
            if event.kind == "experiment":
                experiment = event.facts["experiment"]
                how = "resumes" if event.facts.get("resumed") == "resume" else "begins"
                say(f'experiment {experiment["id"]} "{experiment["name"]}" {how}')
            view(event)

        follower = Follower(client, flow_run_id, take=take, tell=say, snapshot=snapshot)
        end = await _unless_let_go(client, flow_run_id, asyncio.ensure_future(follower.follow()))
        board.end(is_finished=end is not None and end.state == "COMPLETED")
    if end is None:
        say("let go; the experiment goes on")
        name = board.experiment_id or str(flow_run_id)
        next_commands([f"trialflow follow {name}", *([f"trialflow experiment stop {name}"] if board.experiment_id else [])])
        return 130
    return await conclude(end, board, show_end)


async def conclude(end: "End", board: "Board", show_end: Callable[[dict[str, Any]], None]) -> int:
    """Show how it ended. Returns the exit code, or raises the error that the flow run ended with."""
    if end.state == "COMPLETED":
        facts = end.facts or await _facts_of(board.experiment_id)
        if facts:
            show_end(facts)
        else:
            say(end.message or "the flow run has completed")
        return 0
    if end.state == "CANCELLED":
        say(f"stopped with {board.progress} training runs done; nothing is lost" if board.experiment_id else end.message or "it was cancelled")
        return 130
    if end.state == "CRASHED":
        raise TrialflowError(
            f"the flow run crashed: {end.message or 'its process ended'}",
            hint="models may still run; the experiment goes on by itself in a moment, or with the same command: nothing is lost",
        )
    message, _, hint = end.message.partition("\nhint: ")
    code = end.failure.get("exit_code")
    error = (ExperimentFailed if code == ExperimentFailed.exit_code else InvalidInput if code == InvalidInput.exit_code else TrialflowError)(
        str(end.failure.get("message") or message), hint=end.failure.get("hint") or hint or None
    )
    raise error


async def _facts_of(experiment_id: str) -> dict[str, Any] | None:
    """What an experiment came to, from the service: for one whose last event was missed."""
    if not experiment_id:
        return None
    from tasks.experiments.summary import summary_of
    from trialflow.api.session import service_session

    async with service_session() as (_, service):
        one = await service.experiment(experiment_id)
        runs = await service.runs(one["project"], experiment_id=experiment_id)
        return {"summary": summary_of(one, runs, await service.best_runs(experiment_id)), "resumed": "resume"}


@dataclass(frozen=True)
class Past:
    """What had happened before: as events, and which training runs had ended."""

    events: list[Event]
    ended: frozenset[str]


async def _past(client: "PrefectClient", flow_run_id: UUID) -> Past | None:
    """What has happened so far, from the service, for a flow run that has found its experiment."""
    from trialflow.cli.following import experiment_of

    if (identifier := experiment_of(await client.read_flow_run(flow_run_id))) is None:
        return None
    from trialflow.api.session import service_session

    try:
        async with service_session() as (_, service):
            one = await service.experiment(identifier)
            runs = await service.runs(one["project"], experiment_id=identifier)
            best = await service.best_runs(identifier)
    except TrialflowError:
        return None  # another service's: the events tell
    begin = Event("experiment", facts={"experiment": one, "resumed": "resume", "best": best})
    active = [Event("launched", run) for run in runs if run["state"] == "active"]
    return Past([begin, *active], frozenset(str(run["id"]) for run in runs if run["state"] != "active"))


async def _unless_let_go(client: "PrefectClient", flow_run_id: UUID, following: "asyncio.Future[End]") -> "End | None":
    """The end, or None if the user lets go. SIGINT asks on a terminal, and lets go elsewhere; so do SIGTERM and SIGHUP everywhere."""
    from trialflow.cli.asking import ask_on_terminal

    loop, let_go = asyncio.get_running_loop(), asyncio.Event()
    beside: set[asyncio.Future[Any]] = set()

    async def stop() -> None:
        say("stopping it; its training runs in flight are ended, and launched again when it goes on")
        await cancel(client, flow_run_id)

    def answered(answer: str) -> None:
        if answer in ("l", "let go"):
            let_go.set()
        elif answer in ("s", "stop"):
            beside.add(asyncio.ensure_future(stop()))

    def interrupted() -> None:
        if not sys.stdin.isatty() or not ask_on_terminal(ASKED, loop, answered):
            let_go.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted if number == signal.SIGINT else let_go.set)
    asked = asyncio.ensure_future(let_go.wait())
    await asyncio.wait({following, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if following.done():
        return following.result()
    following.cancel()
    return None


async def cancel(client: "PrefectClient", flow_run_id: UUID) -> None:
    """Ask a flow run to end: one that has not begun is cancelled at once."""
    from prefect.states import Cancelled, Cancelling

    state = (await client.read_flow_run(flow_run_id)).state
    if state is None or state.is_final():
        return
    begun = state.is_running() or state.is_pending()
    await client.set_flow_run_state(flow_run_id, Cancelling() if begun else Cancelled())
