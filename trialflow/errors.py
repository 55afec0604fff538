"""Every error that trialflow shows to a person: one sentence that says what was tried and what came back, one hint that says what to do.

The command line prints them as `error:` and `hint:`; the service answers them as `{"message", "status"}`.
"""

from trialflow.network import without_logins


class TrialflowError(Exception):
    """Something outside trialflow went wrong, or something in it; `exit_code` is what a command ends with.

    `message` is one sentence (what was tried, what came back), `hint` one more (what to do next) or None.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = without_logins(message)
        self.hint = without_logins(hint) if hint else None
        super().__init__(self.message)


class InvalidInput(TrialflowError):
    """A file, a flag or a value that the user gave cannot be accepted. Raised before anything is started."""

    exit_code = 2


class ExperimentFailed(TrialflowError):
    """The experiment or training run ended with a failure of the model."""

    exit_code = 3


class LimitReached(TrialflowError):
    """What was asked for would pass a limit that the user has set, such as a cost per hour."""

    exit_code = 4
