"""Times of schedules, in the zones that people live in."""

import os
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trialflow.errors import InvalidInput


def local(when: datetime | None, zone: str) -> str | None:
    """A time in the schedule's own zone."""
    return when.astimezone(ZoneInfo(zone or "UTC")).strftime("%Y-%m-%d %H:%M %Z") if when else None


def machine_zone() -> str:
    """The time zone of this machine by its name; UTC if it has none."""
    if named := os.environ.get("TZ", "").lstrip(":"):
        return named
    target = os.path.realpath("/etc/localtime")
    named = target.split("/zoneinfo/", 1)[1] if "/zoneinfo/" in target else "UTC"
    return named.removeprefix("Etc/")


def check_zone(zone: str) -> None:
    """Raise `InvalidInput` if there is no such zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"there is no time zone {zone!r}", hint="as in --timezone Europe/Berlin, or UTC") from None
