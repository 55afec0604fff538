"""The rule of MERGE in the SigOpt API: maps join recursively, null deletes a key, anything else replaces. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def merged(state: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """`state` after a MERGE of `body`; neither is changed."""
    return _joined(state, body, keeps_nulls=False)


def combined(first: Mapping[str, Any], *more: Mapping[str, Any]) -> dict[str, Any]:
    """The one MERGE body that does what `first` and then each of `more` would do: here a null stays, for it has yet to delete something."""
    result = dict(first)
    for body in more:
        result = _joined(result, body, keeps_nulls=True)
    return result


def folded(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All `bodies`, in their order, as one."""
    return combined({}, *bodies)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any], *, keeps_nulls: bool) -> dict[str, Any]:
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if value is None and not keeps_nulls:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _joined(before if isinstance(before, Mapping) else {}, value, keeps_nulls=keeps_nulls)
        else:
            result[key] = value
    return result
