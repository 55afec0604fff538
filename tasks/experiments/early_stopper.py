"""What the checkpoints of an experiment's training runs promise: by the rule of its `experiment.yml`, which of them are ended early.

The rule is the optimizer's, and pure. Here is what it is asked about: the checkpoints of all training runs, as the service has them when work begins
and as they arrive from then on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.experiments.client import ServiceClient
from tasks.experiments.launch_history import LaunchHistory
from trialflow.api_types import Experiment, TrainingRun
from trialflow.metrics import value_at
from trialflow.optimizer.stopping import Curve, Rule, should_stop
from trialflow.specs import early_stopping_of

Json = Mapping[str, Any]
AT_ONCE = 16
"""Training runs whose checkpoints are read at the same time."""


@dataclass
class _Track:
    """The current attempt of one training run: its checkpoints, up to which of them the rule was `asked`, and what it said."""

    attempt: int
    curve: Curve
    asked: int = 0
    verdict: str | None = None


class EarlyStopper:
    """The checkpoints of all training runs of one experiment, and the rule that says which of them have no prospects.

    Checkpoints of attempts that were lost do not count: the model began anew.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._tracks: dict[str, _Track] = {}

    @classmethod
    async def of(cls, experiment: Experiment, runs: Sequence[TrainingRun], client: ServiceClient) -> "EarlyStopper | None":
        """Those of an experiment and its training runs, as the service tells them; None if the experiment asks for no early stopping."""
        if (rule := rule_of(experiment)) is None:
            return None
        prospects = cls(rule)
        known = [run for run in runs if run.get("checkpoint_count")]
        for start in range(0, len(known), AT_ONCE):
            some = known[start : start + AT_ONCE]
            for run, found in zip(some, await asyncio.gather(*(client.checkpoints(str(run["id"])) for run in some)), strict=True):
                prospects.know(run, list(reversed(found)))
        return prospects

    def know(self, run: TrainingRun, checkpoints: Sequence[Json]) -> None:
        """Take in a training run and its checkpoints, oldest first, from the time before this flow.

        Nobody knows whether the rule was asked at the last of them: it is asked there once more, when that checkpoint is heard of.
        """
        history = LaunchHistory.of(run)
        curve = Curve.of((value_at(one, self.rule.metric) for one in checkpoints[history.earlier_checkpoints :]), self.rule)
        self._tracks[str(run["id"])] = _Track(history.attempt, curve, max(0, len(curve) - 1), history.stopped_early)

    def reached(self, training_run: str, attempt: int, place: int, checkpoint: Json) -> str | None:
        """Why the training run should be ended now that the `place`-th checkpoint of this attempt (from 1) is there; None if it should go on.

        Told again of a checkpoint, as after a crash, it does not change its mind.
        """
        track = self._tracks.get(training_run)
        if track is None or track.attempt != attempt:
            track = self._tracks[training_run] = _Track(attempt, Curve(self.rule))
        if track.verdict is None and place > track.asked:
            if place > len(track.curve):
                track.curve.add(value_at(checkpoint, self.rule.metric))
            track.asked = place
            track.verdict = should_stop({name: one.curve for name, one in self._tracks.items()}, training_run, self.rule)
        return track.verdict


def rule_of(experiment: Experiment) -> Rule | None:
    """The rule that an experiment asks for (its JSON, as the API answers it); None if it asks for none."""
    asked = early_stopping_of(experiment.get("metadata"))
    if asked is None:
        return None
    is_less_better = any(one["name"] == asked.metric and one.get("objective") == "minimize" for one in experiment["metrics"])
    return Rule(asked.rule, asked.metric, "minimize" if is_less_better else "maximize", asked.min_checkpoints, asked.reduction)
