"""How one attempt is ended early: the decision is written down first, then the attempt is stopped while it is followed to its end."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks.compute import Attempt, Compute, Exit, Report
from tasks.experiments.client import ServiceClient
from tasks.experiments.launch_history import early_body

if TYPE_CHECKING:
    from tasks.experiments.early_stopper import EarlyStopper


class EarlyStop:
    """Watches the checkpoints of one attempt and stops it once the early stopper gives a reason. Without `stopper` it never does.

    `decided` is the reason that was written to the service before, if one was. From the moment that it is there the training run will never be
    launched again, so whoever is killed in between leaves nothing undone: the next to come stops the attempt, if it still runs, and observes it.
    """

    def __init__(
        self, client: ServiceClient, compute: Compute, attempt: Attempt, stopper: "EarlyStopper | None", *, decided: str | None = None
    ) -> None:
        self.reason = decided
        self._client = client
        self._compute = compute
        self._attempt = attempt
        self._stopper = stopper
        self._place = 0
        self._is_due = asyncio.Event()
        if decided is not None:
            self._is_due.set()

    def relieved(self, reports: Sequence[Report]) -> Sequence[Report]:
        """The reports without failures, once the end is due: a model that is asked to stop may take it for its own failure."""
        if not self._is_due.is_set():
            return reports
        return [replace(one, body={key: value for key, value in one.body.items() if key != "state"}) for one in reports]

    async def consider(self, checkpoints: Sequence[Mapping[str, Any]]) -> None:
        """Take in the next checkpoints, which the service has. Raises `ServiceUnavailable` if a decision could not be written down."""
        for checkpoint in checkpoints:
            self._place += 1
            if self._stopper is None or self.reason is not None:
                continue
            reason = self._stopper.reached(self._attempt.training_run_id, self._attempt.number, self._place, checkpoint)
            if reason is not None:
                await self._client.merge_run(self._attempt.training_run_id, early_body(reason))
                self.reason = reason
                self._is_due.set()

    async def beside(self, following: Coroutine[Any, Any, Exit]) -> Exit:
        """What `following` returns, and the attempt stopped meanwhile if that is due. What either raises ends the other; so does cancellation."""
        followed, stopped = asyncio.create_task(following), asyncio.create_task(self._stop_when_due())
        try:
            await asyncio.wait({followed, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                stopped.result()
            ended = await followed
            if self._is_due.is_set():
                await stopped
            return ended
        finally:
            for one in (followed, stopped):
                one.cancel()
            await asyncio.gather(followed, stopped, return_exceptions=True)

    async def _stop_when_due(self) -> None:
        await self._is_due.wait()
        await self._compute.stop(self._attempt)
