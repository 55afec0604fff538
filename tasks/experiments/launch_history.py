"""What trialflow keeps on a training run beside what the model logged: how often it was launched and lost, and why it failed.

It is kept in the training run's `dev_metadata`, so that a flow that starts anew finds it in the service.
"""

from dataclasses import dataclass
from typing import Any

from trialflow.api_types import TrainingRun
from trialflow.metadata_keys import ATTEMPT, EARLIER_CHECKPOINTS, LOST, REASON, STOPPED_BY_USER, STOPPED_EARLY
from trialflow.results.facts import count_of, text_kept

LONGEST_REASON = 500


@dataclass(frozen=True)
class LaunchHistory:
    """The launches of one training run. `attempt` is the current one, from 1; `lost` counts those lost through no fault of the model.

    `stopped_early` says why the current attempt is ended early: once that is written down, the training run is never launched again.
    """

    attempt: int = 1
    lost: int = 0
    reason: str | None = None
    earlier_checkpoints: int = 0
    stopped_early: str | None = None

    @classmethod
    def of(cls, run: TrainingRun) -> "LaunchHistory":
        """Read from a training run's JSON. What is not of the form in which it was written counts as not there."""
        return cls(
            attempt=count_of(run, ATTEMPT) or 1,
            lost=count_of(run, LOST),
            reason=text_kept(run, REASON),
            earlier_checkpoints=count_of(run, EARLIER_CHECKPOINTS),
            stopped_early=text_kept(run, STOPPED_EARLY),
        )

    def after_loss(self, reason: str, *, counts: bool, checkpoints: int) -> "LaunchHistory":
        """The history once the current attempt was lost for `reason`; `checkpoints` is how many the service has by now."""
        return LaunchHistory(self.attempt + 1, self.lost + (1 if counts else 0), reason[:LONGEST_REASON], checkpoints)

    def reason_since(self, run: TrainingRun) -> str | None:
        """What `run` has been given as the reason for its state since this history was read; None if nothing has.

        Only what trialflow writes as an end counts: a model that reports its failure gives no reason.
        """
        now = LaunchHistory.of(run).reason
        return now if now == STOPPED_BY_USER or now != self.reason else None

    def merge_body(self) -> dict[str, Any]:
        """The MERGE body that keeps it."""
        return {
            "dev_metadata": {
                ATTEMPT: self.attempt,
                LOST: self.lost,
                REASON: self.reason,
                EARLIER_CHECKPOINTS: self.earlier_checkpoints,
            }
        }


def early_body(reason: str | None) -> dict[str, Any]:
    """The MERGE body that keeps why a training run is stopped early; None takes it back."""
    return {"dev_metadata": {STOPPED_EARLY: reason[:LONGEST_REASON] if reason else None}}
