"""The token of the service, guest tokens, which can only read one experiment, and the form of the tokens of training runs."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from trialflow.service.errors import ApiError

GUEST = "guest"
RUN = "run"


@dataclass(frozen=True)
class RunToken:
    """A token for the model of one training run, as `store/run_tokens.py` issues and checks it."""

    training_run: int
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{RUN}-{self.training_run}-{self.secret}"

    @classmethod
    def read(cls, text: str) -> "RunToken | None":
        """The token that a text has the form of; None if it has another."""
        kind, _, rest = text.partition("-")
        number, _, secret = rest.partition("-")
        return cls(int(number), secret) if kind == RUN and _is_id(number) and secret else None


class Tokens:
    """Recognises the service's token and the guest tokens derived from it: a guest token is an experiment's id and a signature, so none is stored."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._key = hashlib.sha256(b"guests:" + token.encode()).digest()

    def guest(self, experiment: int) -> str:
        """The token that reads this experiment and nothing else."""
        return f"{GUEST}-{experiment}-{hmac.new(self._key, str(experiment).encode(), hashlib.sha256).hexdigest()}"

    def experiment_of(self, token: str) -> int | None:
        """The experiment that a guest token reads; None for the service's own token. Raises a 403 for any other."""
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        kind, _, rest = token.partition("-")
        number = rest.partition("-")[0]
        if kind == GUEST and _is_id(number) and hmac.compare_digest(token.encode(), self.guest(int(number)).encode()):
            return int(number)
        raise unknown_token()

    def run_token(self, token: str) -> RunToken | None:
        """The token of a training run that this may be, which is yet to be checked; None if it can only be one of the others."""
        return None if hmac.compare_digest(token.encode(), self.token.encode()) else RunToken.read(token)


def unknown_token() -> ApiError:
    """The refusal of a token that nobody was given here."""
    return ApiError(403, "This service does not know this token")


def token_of(header: str | None) -> str:
    """The token in an Authorization header: HTTP Basic with the token as the user name, or Bearer. Raises a 401 if there is none."""
    scheme, _, value = (header or "").partition(" ")
    token = ""
    if scheme.lower() == "basic":
        try:
            token = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            raise ApiError(401, "The Authorization header is not valid HTTP Basic authorization") from None
    elif scheme.lower() == "bearer":
        token = value.strip()
    if not token:
        raise ApiError(401, "A token is required: HTTP Basic authorization with the token as the user name")
    return token


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
