"""What becomes of a plan, item by item."""

from dataclasses import dataclass

from trialflow.errors import TrialflowError


@dataclass(frozen=True)
class Failure:
    """Why something could not be done, as an error says it to a person."""

    message: str
    hint: str | None = None
    exit_code: int = 1

    @classmethod
    def of(cls, error: TrialflowError) -> "Failure":
        """The failure that an error tells of."""
        return cls(error.message, error.hint, error.exit_code)


@dataclass(frozen=True)
class Result:
    """What became of one item of a plan: `text` is a word or a few, such as `deleted`; `failure` says why not, `warning` what else may matter."""

    name: str
    text: str
    failure: Failure | None = None
    warning: str | None = None
