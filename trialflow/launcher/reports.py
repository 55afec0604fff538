"""What a model may report about its own training run: the allowed fields and nothing else, each checked and limited in size.

The relay checks with this what comes from the model, and whoever reads a pod's log checks with it what comes from the pod.
"""

import binascii
import json
import math
import re

MOST_CHECKPOINTS = 200
"""As many as the SigOpt API takes for one training run."""
REPORT_BYTES = (1 << 20) - (8 << 10)
"""Limit of one report as JSON; a mark around it stays below 1 MiB."""
MAPPINGS = ("assignments", "assignments_meta", "assignments_sources", "datasets", "metadata", "dev_metadata", "sys_metadata", "model", "source_code")
"""Fields of a training run that a model may merge into, besides `values` and `state`."""
RESERVED = "trialflow_"
"""Keys with this prefix are trialflow's own."""
DEEPEST = 20
LONGEST_INTEGER = 310
CONTENT_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}$")


def parsed(data, constant=None):
    """JSON in bytes or text as an object. Raises ValueError for anything else; numbers too large for a float become infinite.

    `constant` makes a value of NaN or Infinity, which Python's own JSON has and no other.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text or "{}", parse_int=_integer, parse_constant=constant or _no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _integer(text):
    return int(text) if len(text) <= LONGEST_INTEGER else math.inf


def _no_constant(name):
    raise ValueError("%s is not a JSON number" % name)


def checked(kind, body):
    """What remains of a report once everything a model may not say is taken out, None if that is nothing; and a sentence for each such thing."""
    dropped = []
    check = {"merge": _merge, "checkpoint": _checkpoint, "file": _file}.get(kind)
    if check is None or not isinstance(body, dict):
        return None, ["a report of an unknown kind was dropped"]
    result = check(body, dropped)
    if result and len(json.dumps(result)) > REPORT_BYTES:
        return None, dropped + ["more than 1 MiB was logged at once and was dropped (%s)" % ", ".join(sorted(result))[:100]]
    return result or None, dropped


def _merge(body, dropped):
    result = {}
    for name, value in body.items():
        if name == "state":
            if value == "failed":
                result[name] = value
        elif name == "values" and isinstance(value, dict):
            values = {
                _text(metric): one for metric, one in ((metric, _metric(metric, one, dropped)) for metric, one in value.items()) if one is not _NOT
            }
            if values:
                result[name] = values
        elif name in MAPPINGS and isinstance(value, dict):
            inner = _mapping(name, value, dropped)
            if inner:
                result[name] = inner
        else:
            dropped.append("`%s` cannot be set by a model and was dropped" % _short(name))
    return result


def _metric(name, given, dropped):
    if given is None:
        return None
    if isinstance(given, dict) and is_number(given.get("value")):
        result = {"value": given["value"]}
        if is_number(given.get("value_stddev")):
            result["value_stddev"] = given["value_stddev"]
        elif given.get("value_stddev") is not None:
            dropped.append("the standard deviation logged for the metric `%s` is not a finite number and was dropped" % _short(name))
        return result
    dropped.append("the value logged for the metric `%s` is not a finite number and was dropped" % _short(name))
    return _NOT


def _mapping(field, given, dropped):
    result = {}
    for name, value in given.items():
        if name.startswith(RESERVED):
            dropped.append("`%s.%s` is trialflow's own and was dropped" % (field, _short(name)))
            continue
        plain = _plain(value)
        if plain is _NOT:
            dropped.append("the value logged as `%s.%s` is not a finite number, or is nested too deeply, and was dropped" % (field, _short(name)))
        else:
            result[_text(name)] = plain
    return result


def _checkpoint(body, dropped):
    values = []
    given = body.get("values")
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and isinstance(one.get("name"), str) and one.get("value") is not None:
            value = _metric(one["name"], one, dropped)
            if value is not _NOT:
                values.append(dict(value, name=_text(one["name"])))
        else:
            dropped.append("a value of a checkpoint without name or value was dropped")
    result = {"values": values}
    if isinstance(body.get("metadata"), dict):
        metadata = _mapping("metadata", body["metadata"], dropped)
        if metadata:
            result["metadata"] = metadata
    return result if values or "metadata" in result else None


def _file(body, dropped):
    kind, content = body.get("content_type"), body.get("content")
    try:
        is_content = isinstance(content, str) and bool(binascii.a2b_base64(content))
    except ValueError:
        is_content = False
    if not is_content or not isinstance(kind, str) or not CONTENT_TYPE.match(kind):
        dropped.append("a file without content or content type was dropped")
        return None
    names = {key: _text(body[key])[:100] for key in ("name", "filename") if isinstance(body.get(key), str)}
    return dict(names, content_type=kind, content=content)


_NOT = object()


def is_number(value):
    """Whether it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _plain(value, depth=0):
    """The value as JSON holds it, with text that every database takes; `_NOT` if it cannot be kept."""
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if is_number(value) else _NOT
    if depth >= DEEPEST or not isinstance(value, (dict, list)):
        return _NOT
    if isinstance(value, list):
        items = [_plain(one, depth + 1) for one in value]
        return _NOT if any(one is _NOT for one in items) else items
    inner = {_text(name): _plain(one, depth + 1) for name, one in value.items()}
    return _NOT if any(one is _NOT for one in inner.values()) else inner


def _text(value):
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _short(value):
    return "".join(letter if letter.isprintable() else "?" for letter in _text(str(value))[:60])


def folded(first, second):
    """The one MERGE body that does what `first` and then `second` do."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = folded(before, value) if both else value
    return result


def merged(first, second):
    """`first` once `second` has been merged into it: null deletes a key."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def replacing(first, second):
    """What has to be merged into `first` so that each field of `second` is as it is there, but for trialflow's own keys."""
    result = {}
    for key, value in second.items():
        before = first.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        gone = [name for name in before if name not in value and not name.startswith(RESERVED)] if both else []
        result[key] = dict(value, **{name: None for name in gone}) if gone else value
    return result
