"""Waiting for something at AWS: look, say how it is, sleep, look again. botocore's own waiters take states for failures that pass."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.aws.errors import AwsRefused

UNKNOWN_ROLE = (
    "does not exist",
    "Error in role params",
    "could not be assumed",
    "doesn't have the Amazon EKS Managed Policies associated",
    "IAM role's policy must include",
)
"""What EKS says of a role that it does not know yet: IAM takes some seconds to tell."""
ROLE_SECONDS = 120.0

Found = TypeVar("Found")


def _silent(text: str) -> None:
    """Say nothing."""


class Interrupted(Exception):
    """The wait was given up: what AWS is doing goes on, and is found again by the same command."""


def sleep_unless(stopping: threading.Event) -> Callable[[float], None]:
    """A `sleep` for a thread that ends with `Interrupted` as soon as `stopping` is set."""

    def sleep(seconds: float) -> None:
        if stopping.wait(seconds):
            raise Interrupted

    return sleep


@dataclass(frozen=True)
class Waiter:
    """How a step waits and tells of it. `clock` and `sleep` are passed in by tests; `tell` gets a line each time that a state changes."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = field(default=_silent)

    def until(self, what: str, look: Callable[[], tuple[Found | None, str]], *, minutes: float, every: float = 10.0) -> Found:
        """What `look` finds, once it finds it; until then it gives None and a word about the state. Raises `AwsRefused` after `minutes`."""
        start, told = self.clock(), None
        while True:
            found, state = look()
            if found is not None:
                return found
            if state != told:
                self.tell(f"{what}: {state}")
                told = state
            if self.clock() - start > minutes * 60:
                raise AwsRefused(
                    f"{what} is still {state} after {minutes:.0f} minutes", hint="the same command goes on waiting; the console of EKS may say more"
                )
            self.sleep(every)

    def with_new_role(self, call: Callable[[], Found]) -> Found:
        """The result of a call that names a role which EKS may not know yet: made again for two minutes."""
        start = self.clock()
        while True:
            try:
                return call()
            except AwsRefused as error:
                is_new = error.code == "InvalidParameterException" and any(text in error.said for text in UNKNOWN_ROLE)
                if not is_new or self.clock() - start > ROLE_SECONDS:
                    raise
                self.tell("waiting until EKS knows the new role")
                self.sleep(5.0)
