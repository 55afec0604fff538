"""What a model logged, applied to the service: each report exactly once, whoever is killed in between.

A merge applied again changes nothing, so all merges of an attempt may be sent again after a crash. Checkpoints are appended, so those that the
service has already are counted and left out: the service's own `checkpoint_count` is the truth, and `earlier_checkpoints` says how many of them
came from earlier attempts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.compute import Report
from tasks.experiments.client import ServiceClient, ServiceRefused
from trialflow.merging import folded


class ReportSink:
    """Applies the reports of one attempt of one training run. Give it all of them, in order, from the first; again after a crash.

    A report that the service refuses is dropped, and `warn` gets a sentence about it: refused once, it would be refused for ever.
    """

    def __init__(self, client: ServiceClient, training_run_id: str, *, earlier_checkpoints: int, warn: Callable[[str], None]) -> None:
        self._client = client
        self._run = training_run_id
        self._earlier = earlier_checkpoints
        self._stored: int | None = None  # checkpoints of this attempt that the service has; None: to be asked
        self._passed = 0  # checkpoints among the reports that are done
        self._done = 0
        self._warn = warn

    async def apply(self, reports: Sequence[Report]) -> list[Mapping[str, Any]]:
        """Apply `reports`, the next ones. Returns the checkpoints among them that the service has now.

        Raises `ServiceUnavailable` if the service is away: call again with the same ones.
        """
        fresh = [report for report in reports if report.number > self._done]
        # Checkpoints first: the service takes none after the training run has failed, which a merge of this batch may say.
        taken = await self._checkpoints([report.body for report in fresh if report.kind == "checkpoint"])
        await self._merge([report.body for report in fresh if report.kind == "merge"])
        if fresh:
            self._passed += sum(report.kind == "checkpoint" for report in fresh)
            self._done = fresh[-1].number
        return taken

    async def _checkpoints(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        if not bodies:
            return []
        if self._stored is None:
            try:
                run = await self._client.run(self._run)
            except ServiceRefused as refused:
                self._warn(f"{len(bodies)} checkpoints were dropped: {refused.message}")
                return []
            self._stored = int(run.get("checkpoint_count") or 0) - self._earlier
        known = max(0, self._stored - self._passed)
        taken = list(bodies[:known])
        for body in bodies[known:]:
            stored, self._stored = self._stored, None  # an answer that gets lost leaves it unknown
            try:
                await self._client.log_checkpoint(self._run, body)
                taken.append(body)
                self._stored = stored + 1
            except ServiceRefused as refused:
                self._warn(f"a checkpoint was refused: {refused.message}")
                self._stored, self._passed = stored, self._passed - 1
        return taken

    async def _merge(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        if not bodies:
            return
        try:
            await self._client.merge_run(self._run, folded(bodies))
        except ServiceRefused as refused:
            if len(bodies) == 1:
                self._warn(f"what the model logged was refused: {refused.message}")
                return
            # One bad report must not take the good ones with it.
            for body in bodies:
                await self._merge([body])
