"""The user's own pod fields, laid over ours. Pure."""

from collections.abc import Mapping
from typing import Any

KEYS = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath", "imagePullSecrets": "name"}
"""Lists whose items are known by a key, as Kubernetes' strategic merge knows them."""


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with everything that `above` says: mappings join, lists with keys join by them, anything else is replaced, null takes it away."""
    result = dict(below)
    for name, value in above.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(before, Mapping) and isinstance(value, Mapping):
            result[name] = overlaid(before, value)
        elif name in KEYS and isinstance(before, list) and isinstance(value, list):
            result[name] = _joined(before, value, KEYS[name])
        else:
            result[name] = value
    return result


def _joined(below: list[Any], above: list[Any], key: str) -> list[Any]:
    result = list(below)
    places = {item.get(key): place for place, item in enumerate(result)}
    for item in above:
        place = places.get(item.get(key)) if isinstance(item, Mapping) else None
        if place is None:
            result.append(item)
        else:
            result[place] = overlaid(result[place], item)
    return result
