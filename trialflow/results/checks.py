"""What a check found: for `doctor`, for `cluster test`, and for whoever asks by program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Check:
    """What was looked at and found; `fix` says what to do about it."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str | None = None


CHECK_COLUMNS = ("", "WHAT", "FOUND")


def check_rows(checks: Sequence[Check]) -> list[list[Any]]:
    """Rows of `CHECK_COLUMNS`."""
    return [[one.state, one.what, one.found + (f"; {one.fix}" if one.fix else "")] for one in checks]


def problems(checks: Sequence[Check]) -> list[str]:
    """What is not in order."""
    return [one.what for one in checks if one.state != "ok"]
