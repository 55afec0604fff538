"""`early_stopping` of `experiment.yml`: when a training run that has no prospects is ended before its time."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from trialflow.metadata_keys import EARLY_STOPPING
from trialflow.specs.metric import MetricSpec
from trialflow.specs.strict import Name, Positive, Strict, Violation, as_integer


class EarlyStoppingSpec(Strict):
    """Ends training runs whose checkpoints promise nothing. Off unless given."""

    rule: Literal["median", "asha"] = Field(
        description="median: below the median of the others at the same checkpoint. asha: not among the best at a rung."
    )
    metric: Name = Field(description="The metric in the checkpoints; one of the experiment's metrics.")
    min_checkpoints: Positive = Field(default=5, description="No training run is ended before it has this many checkpoints.")
    reduction: Annotated[int, Field(ge=2), BeforeValidator(as_integer)] = Field(
        default=3, description="asha: of the training runs at a rung one in this many goes on; each rung is this many times as far."
    )


def stopping_rules(one: EarlyStoppingSpec | None, metrics: Sequence[MetricSpec]) -> list[Violation]:
    """What is wrong between `early_stopping` and the metrics."""
    names = [metric.name for metric in metrics]
    if one is None or one.metric in names:
        return []
    return [Violation(("early_stopping", "metric"), f"{one.metric!r} is no metric of this experiment; there are {', '.join(names)}")]


def early_stopping_of(metadata: Mapping[str, Any] | None) -> EarlyStoppingSpec | None:
    """The rule in an experiment's metadata as the API answers it; None if there is none that can be read."""
    kept = (metadata or {}).get(EARLY_STOPPING)
    if not isinstance(kept, str):
        return None
    try:
        return EarlyStoppingSpec.model_validate(json.loads(kept))
    except (ValueError, RecursionError):
        return None
