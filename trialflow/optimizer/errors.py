"""What the optimizer says when it cannot suggest."""

from trialflow.errors import InvalidInput, TrialflowError


class SpaceExhausted(TrialflowError):
    """Every point of a finite space is known or pending: there is nothing left to suggest."""


class UnsupportedExperiment(InvalidInput):
    """The experiment asks for something that the optimizer does not do yet; the message names it."""
