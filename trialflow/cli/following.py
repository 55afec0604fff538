"""Follow a flow run that another process executes, by Prefect's events: what happens is shown as if it happened here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks.experiments.announcing import FAILED, event_of
from trialflow.events import Event

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.events import Event as PrefectEvent

LAST_SECONDS = 5.0
"""After the end of the flow run, how long its last events may take."""
AWAY_SECONDS = 600.0
"""How long a server may be away before it is given up: a pod that is replaced on another node takes minutes."""
PAUSE_SECONDS = 2.0
STATES = {
    "Scheduled": "waiting for a worker",
    "Late": "waiting for a worker, which is late: is `trialflow up` at work?",
    "Pending": "starting",
    "Paused": "paused",
    "Suspended": "suspended: nothing new starts; resume it in the Prefect UI",
    "Cancelling": "stopping",
    "AwaitingRetry": "waiting for a retry",
    "AwaitingConcurrencySlot": "waiting for another flow run to end",
}
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True)
class Snapshot:
    """What the service knew at a time `read`: which training runs had `ended`."""

    ended: frozenset[str]
    read: datetime

    def has(self, event: Event, occurred: datetime) -> bool:
        """Whether this event was in it. The end of a training run is known by its id, everything else by the time alone."""
        if event.kind == "experiment":
            return True
        if event.run is not None and (str(event.run["id"]) in self.ended or event.kind in ("completed", "failed")):
            return str(event.run["id"]) in self.ended
        return event.kind != "ended" and occurred <= self.read


@dataclass
class End:
    """How a flow run ended: `state` as Prefect names its type. `failure` is the error that it told, `facts` what its experiment came to."""

    state: str
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)


class Follower:
    """Follows one flow run. `take` gets what happens in it, `tell` a sentence when its state changes.

    `catch_up` shows what has happened so far, and returns it: that is not told again. It is called at first if the flow run `is_joined`, and whenever
    the server has been away.
    """

    def __init__(
        self,
        client: "PrefectClient",
        flow_run_id: UUID,
        *,
        take: Callable[[Event], None],
        tell: Callable[[str], None],
        catch_up: Callable[[UUID], Awaitable[Snapshot | None]] | None = None,
        is_joined: bool = False,
    ) -> None:
        self.client, self.flow_run_id = client, flow_run_id
        self._take, self._tell = take, tell
        self._catch_up, self._is_behind = catch_up, is_joined
        self._snapshot: Snapshot | None = None
        self._seen: set[UUID] = set()
        self._end = End("")
        self._told, self._since = "", datetime.min.replace(tzinfo=UTC)
        self._away_since: float | None = None

    async def follow(self) -> End:
        """Follow it to its end. Raises `ConnectionError` if the server is away for too long."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async for event in self._events():
                    if self._is_end(event):
                        return await self._last()
                problem: Exception = ConnectionError("it closed the connection")
            except Exception as error:  # noqa: BLE001 - Prefect's client raises errors of many kinds when its server goes away
                problem = error
            if self._away_since is None:
                self._away_since, self._is_behind = loop.time(), True
                self._tell(f"Prefect's server does not answer ({type(problem).__name__}); it is asked again until it does")
            if loop.time() - self._away_since > AWAY_SECONDS:
                raise ConnectionError(str(problem) or type(problem).__name__) from problem
            await asyncio.sleep(PAUSE_SECONDS)

    async def _events(self) -> "AsyncIterator[PrefectEvent | None]":
        """Its events; None first if it has ended already."""
        from prefect.events.clients import get_events_subscriber
        from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

        wanted = EventFilter(  # type: ignore[call-arg]
            any_resource=EventAnyResourceFilter(id=[f"prefect.flow-run.{self.flow_run_id}"]),  # type: ignore[call-arg]
            event=EventNameFilter(prefix=["trialflow.", "prefect.flow-run."]),  # type: ignore[call-arg]
        )
        async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as subscriber:
            self._subscriber = subscriber
            found = await self.client.read_flow_run(self.flow_run_id)
            if self._away_since is not None:
                self._away_since = None
                self._tell("Prefect's server answers again")
            if self._is_behind and self._catch_up is not None:
                self._snapshot = await self._catch_up(self.flow_run_id) or self._snapshot
            self._is_behind = False
            if found.state is not None:
                self._since = found.state.timestamp
                self._state(found.state.name or "", found.state.type.value, found.state.message or "")
                if found.state.is_final():
                    yield None
            async for event in subscriber:
                yield event

    def _is_end(self, event: "PrefectEvent | None") -> bool:
        """Take in an event. Whether the flow run has ended; None stands for the end itself."""
        if event is None:
            return True
        if event.id in self._seen:
            return False
        self._seen.add(event.id)
        if event.event == FAILED:
            self._end.failure = dict(event.payload)
        elif told := event_of(event.event, event.payload):
            self._tell_of(told, event.occurred)
        elif event.resource.id == f"prefect.flow-run.{self.flow_run_id}" and (kind := event.resource.get("prefect.state-type")):
            if event.occurred < self._since:  # the server tells the last minute again
                return False
            state = event.payload.get("validated_state") or {}
            self._state(event.resource.get("prefect.state-name") or "", kind, str(state.get("message") or ""))
            return kind in TERMINAL
        return False

    def _tell_of(self, event: Event, occurred: datetime) -> None:
        if event.kind == "ended":
            self._end.facts = dict(event.facts)
        if self._snapshot is None or not self._snapshot.has(event, occurred):
            self._take(event)

    def _state(self, name: str, kind: str, message: str) -> None:
        if kind in TERMINAL:
            self._end.state, self._end.message = kind, message
        if name != self._told and name in STATES:
            self._tell(STATES[name])
        self._told = name

    async def _last(self) -> End:
        """The end, with the last events: they come another way than the state, and may be a moment late."""
        needed = {"COMPLETED": lambda: self._end.facts, "FAILED": lambda: self._end.failure}.get(self._end.state)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LAST_SECONDS):
                while needed is not None and not needed():
                    self._is_end(await anext(aiter(self._subscriber)))
        return self._end
