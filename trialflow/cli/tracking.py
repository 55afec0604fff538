"""Follow the work on an experiment to its end, whichever flow runs do it, and show how it ended."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from trialflow.cli.terminal.messages import next_commands, say
from trialflow.errors import ExperimentFailed, InvalidInput, TrialflowError
from trialflow.events import Event

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from trialflow.cli.following import End, Snapshot
    from trialflow.cli.terminal.live import View
    from trialflow.results.board import Board

ASKED = "let go of it (it goes on), or stop it? [l/s, anything else follows on]"


class Tracker:
    """Follows an experiment: the flow run that works on it, and after a crash the one that goes on with it. `view` gets what happens."""

    def __init__(self, client: "PrefectClient", flow_run_id: UUID, board: "Board", view: "View", *, is_joined: bool) -> None:
        self.client, self.flow_run_id = client, flow_run_id
        self._board, self._view, self._is_joined = board, view, is_joined

    async def track(self) -> "End":
        """How the last flow run ended. Raises `ConnectionError` if Prefect's server is away for too long."""
        from trialflow.cli.following import Follower
        from trialflow.cli.succession import SUCCESSOR_SECONDS, successor

        is_joined = self._is_joined
        while True:
            follower = Follower(self.client, self.flow_run_id, take=self._take, tell=say, catch_up=self._catch_up, is_joined=is_joined)
            end = await follower.follow()
            if end.state != "CRASHED":
                return end
            say(f"the flow run crashed: {end.message or 'its process ended'}")
            say(f"waiting at most {SUCCESSOR_SECONDS:.0f} s for another one to go on with the experiment")
            if (after := await successor(self.client, self.flow_run_id)) is None:
                return end
            again = after.id == self.flow_run_id
            say("the same flow run goes on with the experiment" if again else f"flow run {after.name} ({after.id}) goes on with the experiment")
            self.flow_run_id, is_joined = after.id, True

    def _take(self, event: Event) -> None:
        if event.kind == "experiment":
            experiment = event.facts["experiment"]
            how = "resumes" if event.facts.get("resumed") == "resume" else "begins"
            say(f'experiment {experiment["id"]} "{experiment["name"]}" {how}')
        self._view(event)

    async def _catch_up(self, flow_run_id: UUID) -> "Snapshot | None":
        """Show what has happened so far, as the service knows it, if the flow run has found its experiment."""
        from flows.crashes import experiment_of
        from trialflow.cli.following import Snapshot

        if (identifier := experiment_of(await self.client.read_flow_run(flow_run_id))) is None:
            return None
        from trialflow.api.session import service_session

        read = datetime.now(UTC)
        try:
            async with service_session() as (_, service):
                one = await service.experiment(identifier)
                runs = await service.runs(one["project"], experiment_id=identifier)
                best = await service.best_runs(identifier)
        except TrialflowError:
            return None  # another service's, or away: the events tell
        board = self._board
        self._view(Event("experiment", facts={"experiment": one, "resumed": "resume", "best": best}))
        board.in_flight([run for run in runs if run["state"] == "active"], time.monotonic())
        say(f'experiment {board.experiment_id} "{board.name}": {board.progress} training runs done')
        return Snapshot(frozenset(str(run["id"]) for run in runs if run["state"] != "active"), read)


async def follow_to_the_end(client: "PrefectClient", flow_run_id: UUID, *, is_joined: bool, show_end: Callable[[dict[str, Any]], None]) -> int:
    """Show the work on an experiment to its end, or until the user lets go of it. Returns the exit code."""
    from trialflow.cli.terminal.live import shown
    from trialflow.results.board import Board

    board = Board()
    with shown(board) as view:
        end = await _unless_let_go(Tracker(client, flow_run_id, board, view, is_joined=is_joined))
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
            hint="models may still run, and nothing is lost: the same command goes on with the experiment, and adopts them",
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


async def _unless_let_go(tracker: "Tracker") -> "End | None":
    """The end, or None if the user lets go. SIGINT asks on a terminal, and lets go elsewhere; so do SIGTERM and SIGHUP everywhere."""
    from trialflow.cli.asking import ask_on_terminal

    loop, let_go = asyncio.get_running_loop(), asyncio.Event()
    following = asyncio.ensure_future(tracker.track())
    beside: set[asyncio.Future[Any]] = set()

    async def stop() -> None:
        say("stopping it; its training runs in flight are ended, and launched again when it goes on")
        await cancel(tracker.client, tracker.flow_run_id)

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
