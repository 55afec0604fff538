"""What a request may say: keys, types, lengths and numbers, refused in the API's own wording. Pure."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.service.errors import BadRequest

STATES = ("active", "completed", "failed")
RUN_KEYS = (
    "name", "state", "assignments", "values", "metadata", "sys_metadata", "dev_metadata", "datasets", "logs", "model", "source_code", "tags",
    "favorite", "deleted", "assignments_meta", "assignments_sources", "object", "project", "source", "suggestion",
)  # fmt: skip
MOST_LOG, MOST_FEATURES, MOST_METADATA = 1124, 50, 100
LONGEST_SOURCE, OWN_SOURCE = 30, "SigOpt"
MAP_KEYS = ("assignments", "values", "metadata", "sys_metadata", "dev_metadata", "datasets", "logs", "model", "source_code",
            "assignments_meta", "assignments_sources")  # fmt: skip
MOST_TAGS = 100
LARGEST_INTEGER = 2**63 - 1
INTEGER = re.compile(r"-?[0-9]{1,19}")


def training_run(body: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
    """A training run's body, checked: known keys, a name if it is new, maps that are maps, numbers that are numbers."""
    known_keys(body, RUN_KEYS)
    if not is_new and "suggestion" in body:
        raise BadRequest("The suggestion of a training run cannot be changed once it exists")
    if is_new and "name" not in body:
        raise BadRequest(f'Missing required json key "name" in: {excerpt(body)}')
    checked = {key: value for key, value in body.items() if key not in ("object", "source")}
    if "name" in checked:
        checked["name"] = name(checked["name"], ".name")
    if checked.get("state") is not None and checked["state"] not in STATES:
        raise BadRequest(f"{excerpt(checked['state'])} is not one of the allowed values: {', '.join(STATES)}")
    _check_types(checked)
    for key in ("metadata", "dev_metadata"):
        if checked.get(key):
            checked[key] = facts(checked[key], f".{key}")
    if checked.get("assignments"):
        checked["assignments"] = {parameter: _assignment(parameter, value) for parameter, value in checked["assignments"].items()}
    if "tags" in checked:
        checked["tags"] = _tags(checked["tags"])
    if checked.get("values"):
        checked["values"] = {metric: _value(metric, value) for metric, value in checked["values"].items()}
    if checked.get("logs"):
        checked["logs"] = {stream: _log(stream, value) for stream, value in checked["logs"].items()}
    if checked.get("suggestion") is not None:
        checked["suggestion"] = integer(checked["suggestion"], ".suggestion")
    _check_sources(checked)
    _check_features(checked)
    return checked


def _assignment(parameter: str, value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | Mapping | Sequence):
        raise BadRequest(f"Invalid type for .assignments.{parameter}: {excerpt(value)} - expected type number or string")
    return finite(value, f".assignments.{parameter}")


def _tags(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"Invalid type for .tags: {excerpt(value)} - expected type array")
    tags = [name(tag, f".tags[{index}]") for index, tag in enumerate(value)]
    if len(tags) > MOST_TAGS:
        raise BadRequest(f".tags has {len(tags)} entries, at most {MOST_TAGS} are allowed")
    return list(dict.fromkeys(tags))


def _check_types(checked: Mapping[str, Any]) -> None:
    for key in MAP_KEYS:
        if checked.get(key) is not None and not isinstance(checked[key], Mapping):
            raise BadRequest(f"Invalid type for .{key}: {excerpt(checked[key])} - expected type object")
    for key in ("favorite", "deleted"):
        if checked.get(key) is not None and not isinstance(checked[key], bool):
            raise BadRequest(f"Invalid type for .{key}: {excerpt(checked[key])} - expected type boolean")
    for dataset, value in (checked.get("datasets") or {}).items():
        if value is not None and not isinstance(value, Mapping):
            raise BadRequest(f"Invalid type for .datasets.{dataset}: {excerpt(value)} - expected type object")
    for key, field in (("model", "type"), ("source_code", "hash"), ("source_code", "content")):
        value = (checked.get(key) or {}).get(field)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"Invalid type for .{key}.{field}: {excerpt(value)} - expected type string")


def _check_features(checked: Mapping[str, Any]) -> None:
    scores = _map_in(checked.get("sys_metadata"), "feature_importances", "scores")
    if len(scores) > MOST_FEATURES:
        raise BadRequest(f".sys_metadata.feature_importances.scores has {len(scores)} features, at most {MOST_FEATURES} are allowed")
    for feature in scores:
        name(feature, ".sys_metadata.feature_importances.scores")


def _check_sources(body: Mapping[str, Any]) -> None:
    """Where assignments are said to come from: names of at most 30 characters, and not the one that the service gives."""
    for parameter, meta in (body.get("assignments_meta") or {}).items():
        source = meta.get("source") if isinstance(meta, Mapping) else None
        if source == OWN_SOURCE:
            raise BadRequest(f"The source {OWN_SOURCE} is reserved: it is set for assignments that were suggested")
        if source is not None:
            name(source, f".assignments_meta.{parameter}.source", LONGEST_SOURCE)
    for source in body.get("assignments_sources") or {}:
        name(source, ".assignments_sources", LONGEST_SOURCE)


def _map_in(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _value(metric: str, value: Any) -> Any:
    if value is None:
        return None
    name(metric, ".values")
    if not isinstance(value, Mapping):
        raise BadRequest(f"Invalid type for .values.{metric}: {excerpt(value)} - expected type object")
    known_keys(value, ("value", "value_stddev", "name", "object"))
    result = {"value": finite(value.get("value"), f".values.{metric}.value")}
    if value.get("value_stddev") is not None:
        result["value_stddev"] = deviation(value["value_stddev"], f".values.{metric}.value_stddev")
    return result


def _log(stream: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("content"), str):
        raise BadRequest(f"Invalid type for .logs.{stream}: {excerpt(value)} - expected an object with content")
    return {"content": value["content"][:MOST_LOG]}


def evaluations(values: Any, metrics: Sequence[str], path: str = ".values") -> list[dict[str, Any]]:
    """A list of `{name, value, value_stddev}`; the name may be left out if there is one metric only."""
    if not isinstance(values, list):
        raise BadRequest(f"Invalid type for {path}: {excerpt(values)} - expected type array")
    result = []
    for index, one in enumerate(values):
        if not isinstance(one, Mapping):
            raise BadRequest(f"Invalid type for {path}[{index}]: {excerpt(one)} - expected type object")
        known_keys(one, ("name", "value", "value_stddev", "object"))
        metric = one.get("name") or (metrics[0] if len(metrics) == 1 else None)
        if metric is None:
            raise BadRequest(f'Missing required json key "name" in: {excerpt(one)}')
        if metrics and metric not in metrics:
            raise BadRequest(f"{metric} is not one of the metrics: {', '.join(metrics)}")
        entry = {"name": name(metric, f"{path}[{index}].name"), "value": finite(one.get("value"), f"{path}[{index}].value")}
        if one.get("value_stddev") is not None:
            entry["value_stddev"] = deviation(one["value_stddev"], f"{path}[{index}].value_stddev")
        result.append(entry)
    if len({one["name"] for one in result}) < len(result):
        raise BadRequest(f"The same metric twice in {path}")
    return result


def known_keys(body: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Refuse keys that are not known."""
    if unknown := [key for key in body if key not in keys]:
        shown = "`, `".join(key[:100] for key in unknown[:10])
        raise BadRequest(f"Unknown json keys `{shown}` in: {excerpt(body)}")


def name(value: Any, path: str, longest: int = 100) -> str:
    """A string of 1 to 100 characters."""
    if not isinstance(value, str):
        raise BadRequest(f"Invalid type for {path}: {excerpt(value)} - expected type string")
    if not value:
        raise BadRequest(f"The length of {path} must be greater than or equal to 1")
    if len(value) > longest:
        raise BadRequest(f"The length of {path} must be less than or equal to {longest}")
    return value


def finite(value: Any, path: str) -> float:
    """A number that a float can hold. An integer of more than 64 bits becomes a float: nothing that reads it could work with it otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"Invalid type for {path}: {excerpt(value)} - expected type number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRequest(f"Invalid value for {path}: {excerpt(value)} - expected a number that a float can hold")
    return value if isinstance(value, float) or abs(value) <= LARGEST_INTEGER else number


def deviation(value: Any, path: str) -> float:
    """A number that is not negative."""
    number = finite(value, path)
    if number < 0:
        raise BadRequest(f"{path} must be greater than or equal to 0")
    return number


def facts(value: Any, path: str = ".metadata") -> dict[str, Any]:
    """A user's metadata: at most 100 keys; values are numbers, strings of at most 500 characters, or null."""
    if not isinstance(value, Mapping):
        raise BadRequest(f"Invalid type for {path}: {excerpt(value)} - expected type object")
    count(value, path)
    checked: dict[str, Any] = {}
    for key, one in value.items():
        name(key, path)
        if isinstance(one, str) and len(one) > 500:
            raise BadRequest(f"The length of {path}.{key} must be less than or equal to 500")
        checked[key] = one if one is None or isinstance(one, str) else finite(one, f"{path}.{key}")
    return checked


def metadata(value: Any, path: str = ".metadata") -> dict[str, Any] | None:
    """A user's metadata as they are kept: null for none at all; a key with null is left out."""
    return None if value is None else {key: one for key, one in facts(value, path).items() if one is not None}


def count(value: Mapping[str, Any], path: str) -> None:
    """Refuse metadata with too many keys."""
    if len(value) > MOST_METADATA:
        raise BadRequest(f"{path} has {len(value)} keys, at most {MOST_METADATA} are allowed")


def integer(value: Any, path: str, *, least: int = 0, most: int = LARGEST_INTEGER) -> int:
    """A whole number of at most 64 bits, from a query or a body."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    if INTEGER.fullmatch(text) is None:
        raise BadRequest(f"Invalid type for {path}: {excerpt(value)} - expected type integer")
    if not least <= (result := int(text)) <= most:
        raise BadRequest(f"{path} must be between {least} and {most}")
    return result


def one_of(value: Any, allowed: Sequence[str]) -> str:
    """One of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        shown = value[:100] if isinstance(value, str) else excerpt(value)
        raise BadRequest(f"{shown} is not one of the allowed values: {', '.join(allowed)}")
    return value


def excerpt(value: Any) -> str:
    """A value for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 300 else text[:297] + "..."
