"""What to try next: `suggest(space, metrics, observations, pending)` gives assignments.

Pure: the same arguments give the same answer; no files, no clock, no database, no threads. It knows nothing of the API or of training runs.
"""

from trialflow.optimizer.inspection import ModelSummary, importances, model_summaries
from trialflow.optimizer.observations import Metric, Observation, Value
from trialflow.optimizer.space import BetaPrior, Conditional, LinearConstraint, NormalPrior, Parameter, Space, SpaceExhausted, UnsupportedExperiment
from trialflow.optimizer.suggest import Suggestion, check_supported, suggest

__all__ = [
    "ModelSummary",
    "BetaPrior",
    "Conditional",
    "LinearConstraint",
    "Metric",
    "NormalPrior",
    "Observation",
    "Parameter",
    "Space",
    "SpaceExhausted",
    "Suggestion",
    "UnsupportedExperiment",
    "Value",
    "check_supported",
    "importances",
    "model_summaries",
    "suggest",
]
