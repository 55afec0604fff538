"""Places in a document: how they are written, and what of pydantic's locations belongs to one."""

from typing import Any

FieldPath = tuple[str | int, ...]
"""The keys and indexes that lead from the top of a document to something in it."""


def dotted(path: FieldPath) -> str:
    """A path as people write it: `parameters[1].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def value_at(data: Any, path: FieldPath) -> Any:
    """What stands at `path`, or the nearest thing around it that is there."""
    for part in path:
        if not _holds(data, part):
            return data
        data = data[part]
    return data


def clean(location: tuple[Any, ...], data: Any, *, is_missing: bool) -> FieldPath:
    """Pydantic's `location` without the names of types that it mixes in for unions and keys.

    A part belongs to the path if `data` has it there; only the last part of something missing belongs without being there.
    """
    path: list[str | int] = []
    for index, part in enumerate(location):
        if _holds(data, part):
            data = data[part]
            path.append(part)
        elif is_missing and index == len(location) - 1:
            path.append(part)
    return tuple(path)


def _holds(data: Any, part: Any) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
