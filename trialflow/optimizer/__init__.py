"""What to try next: `suggest(space, metrics, observations, pending)` gives assignments.

Pure: the same arguments give the same answer; no files, no clock, no database, no threads. It knows nothing of the API or of training runs.
"""

from trialflow.optimizer.errors import SpaceExhausted, UnsupportedExperiment
from trialflow.optimizer.facts import Belief, beliefs, importances
from trialflow.optimizer.history import Metric, Observation, Value
from trialflow.optimizer.space import BetaPrior, Conditional, LinearConstraint, NormalPrior, Parameter, Space
from trialflow.optimizer.suggest import Suggestion, check_supported, suggest

__all__ = [
    "Belief",
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
    "beliefs",
    "check_supported",
    "importances",
    "suggest",
]
