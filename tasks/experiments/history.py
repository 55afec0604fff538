"""What trialflow keeps on a training run beside what the model logged: how often it was launched and lost, and why it failed.

It is kept in the training run's `dev_metadata`, so that a flow that starts anew finds it in the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "trialflow_"
EARLY = f"{PREFIX}stopped_early"


@dataclass(frozen=True)
class History:
    """The launches of one training run. `attempt` is the current one, from 1; `lost` counts those lost through no fault of the model.

    `stopped_early` says why the current attempt is ended early: once that is written down, the training run is never launched again.
    """

    attempt: int = 1
    lost: int = 0
    reason: str | None = None
    earlier_checkpoints: int = 0
    stopped_early: str | None = None

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> "History":
        """Read from a training run's JSON."""
        kept = run.get("dev_metadata") or {}
        return cls(
            attempt=int(kept.get(f"{PREFIX}attempt") or 1),
            lost=int(kept.get(f"{PREFIX}lost") or 0),
            reason=kept.get(f"{PREFIX}reason"),
            earlier_checkpoints=int(kept.get(f"{PREFIX}earlier_checkpoints") or 0),
            stopped_early=kept.get(EARLY),
        )

    def after_loss(self, reason: str, *, counts: bool, checkpoints: int) -> "History":
        """The history once the current attempt was lost for `reason`; `checkpoints` is how many the service has by now."""
        return History(self.attempt + 1, self.lost + (1 if counts else 0), reason, checkpoints)

    def merge_body(self) -> dict[str, Any]:
        """The MERGE body that keeps it."""
        return {
            "dev_metadata": {
                f"{PREFIX}attempt": self.attempt,
                f"{PREFIX}lost": self.lost,
                f"{PREFIX}reason": self.reason[:500] if self.reason else None,
                f"{PREFIX}earlier_checkpoints": self.earlier_checkpoints,
            }
        }


def early_body(reason: str | None) -> dict[str, Any]:
    """The MERGE body that keeps why a training run is stopped early; None takes it back."""
    return {"dev_metadata": {EARLY: reason[:500] if reason else None}}
