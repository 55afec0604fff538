"""Places in a document: how they are written, and what of pydantic's locations belongs to one."""

from typing import Any

Place = tuple[str | int, ...]
"""The keys and indexes that lead from the top of a document to something in it."""


def dotted(place: Place) -> str:
    """A place as people write it: `parameters[1].type`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def value_at(data: Any, place: Place) -> Any:
    """What stands at `place`, or the nearest thing around it that is there."""
    for part in place:
        if not _holds(data, part):
            return data
        data = data[part]
    return data


def clean(location: tuple[Any, ...], data: Any, *, is_missing: bool) -> Place:
    """Pydantic's `location` without the names of types that it mixes in for unions and keys.

    A part belongs to the place if `data` has it there; only the last part of something missing belongs without being there.
    """
    place: list[str | int] = []
    for index, part in enumerate(location):
        if _holds(data, part):
            data = data[part]
            place.append(part)
        elif is_missing and index == len(location) - 1:
            place.append(part)
    return tuple(place)


def _holds(data: Any, part: Any) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
