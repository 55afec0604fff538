"""MERGE bodies as values: how two that follow each other become one."""

from collections.abc import Iterable, Mapping
from typing import Any


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The one MERGE body that does what `first` and then `second` do: maps join recursively, anything else is replaced."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result


def folded(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All `bodies`, in their order, as one."""
    result: dict[str, Any] = {}
    for body in bodies:
        result = merged(result, body)
    return result
