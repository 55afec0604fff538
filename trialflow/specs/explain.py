"""What pydantic says of a document, in the words of a person: found, allowed, did you mean."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from trialflow.specs import advice, shape
from trialflow.specs.place import Place, clean, value_at
from trialflow.specs.strict import HIDDEN

TYPE_ERRORS = {
    "number": "",
    "integer": "",
    "string": "",
    "duration": "",
    "variable": "",
    "dict_type": "expected a mapping of keys to values",
    "model_type": "expected a mapping of keys to values",
    "model_attributes_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "finite_number": "expected a finite number",
}
"""Kinds of errors that say that a value has the wrong type, and what is expected; empty where the error's own message says it."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong at `place`: what was `found` there in words, what is `allowed`, and the `value` itself.

    `kind` is `missing`, `unknown` (a key), `type`, `literal` (one of several words), `length`, `value` or `rule` (between fields).
    """

    place: Place
    found: str
    allowed: str = ""
    suggestion: str | None = None
    kind: str = ""
    value: Any = None
    limit: int | None = None


def findings(error: ValidationError, model: type[BaseModel], data: Any) -> list[Finding]:
    """Everything that `error` says about `data`, which should be a `model`: each thing once, in the order of the model's fields."""
    found: list[Finding] = []
    for detail in error.errors(include_url=False):
        found.extend(_explain(detail, model, data))
    return _without_echoes(_joined(found))


def _joined(found: list[Finding]) -> list[Finding]:
    """Where none of several types fits, one finding that names them all: `expected a number or text; put it in quotes`."""
    by_place: dict[tuple[Place, str], Finding] = {}
    for one in found:
        key = (one.place, "type" if one.kind == "type" else one.found)
        before = by_place.get(key)
        if before is None or one.kind != "type":
            by_place.setdefault(key, one)
        elif one.allowed not in before.allowed:
            first, _, _ = before.allowed.partition("; ")
            by_place[key] = replace(before, allowed=f"{first} or {one.allowed.removeprefix('expected ')}")
    return list(by_place.values())


def _without_echoes(found: list[Finding]) -> list[Finding]:
    """A key that is only misspelt is not missing as well."""
    misspelt = {(*one.place[:-1], one.suggestion) for one in found if one.kind == "unknown" and one.suggestion}
    return [one for one in found if not (one.kind == "missing" and one.place in misspelt)]


def _explain(detail: Any, model: type[BaseModel], data: Any) -> list[Finding]:
    kind, context, value = detail["type"], detail.get("ctx") or {}, detail.get("input")
    place = clean(detail["loc"], data, is_missing=kind == "missing")
    if kind == "rules":
        return [Finding((*place, *at), text, kind="rule", value=value) for at, text in context["violations"]]
    if kind == "extra_forbidden":
        return [_unknown_key(place, model, data, value)]
    if kind == "missing":
        return [Finding(place, "missing", shape.description(place, model), kind="missing")]
    if kind == "invalid_key" or "[key]" in detail["loc"]:
        return [
            Finding(place, f"the key {shown(detail['loc'][-1] if kind == 'invalid_key' else value)}", "keys are text; put it in quotes", kind="value")
        ]
    if kind == "literal_error":
        options = shape.options(place, model)
        allowed = f"allowed: {', '.join(options)}"
        return [Finding(place, shown(value), allowed, advice.meant(str(value), options) if value is not None else None, "literal", value)]
    if value is None:
        return [Finding(place, "nothing here", shape.description(place, model) or detail["msg"], kind="type")]
    if kind in TYPE_ERRORS:
        return [Finding(place, shown(value), TYPE_ERRORS[kind] or detail["msg"], kind="type", value=value)]
    return [_out_of_limits(place, kind, context, value, detail["msg"])]


def _out_of_limits(place: Place, kind: str, context: dict[str, Any], value: Any, message: str) -> Finding:
    if kind == "greater_than":
        return Finding(place, shown(value), f"it must be above {context['gt']}", kind="value", value=value)
    if kind == "greater_than_equal":
        return Finding(place, shown(value), f"it must be {context['ge']} or more", kind="value", value=value)
    if kind == "too_short" and isinstance(value, list):
        found = f"a list of {len(value)}" if value else "an empty list"
        return Finding(place, found, f"at least {context['min_length']}", kind="length", value=value, limit=context["min_length"])
    if kind in ("string_too_short", "too_short"):
        return Finding(place, "empty", kind="length", value=value, limit=context["min_length"])
    if kind == "string_too_long":
        found = f"{len(value)} characters" if isinstance(value, str) else shown(value)
        return Finding(place, found, f"at most {context['max_length']}", kind="length", value=value, limit=context["max_length"])
    return Finding(place, shown(value), message[:1].lower() + message[1:], kind="value", value=value)


def _unknown_key(place: Place, model: type[BaseModel], data: Any, value: Any) -> Finding:
    owner, key = shape.model_at(place[:-1], model) or model, str(place[-1])
    if known := advice.KEYS.get(owner.__name__, {}).get(key):
        return Finding(place, "unknown key", known, kind="unknown", value=value)
    given = value_at(data, place[:-1])
    suggestion = advice.meant(key, [name for name in owner.model_fields if name not in given])
    allowed = "" if suggestion else f"allowed: {', '.join(owner.model_fields)}"
    return Finding(place, "unknown key", allowed, suggestion, "unknown", value)


def shown(value: Any) -> str:
    """A value as a sentence names it, cut to 80 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing here"
    if value == HIDDEN:
        return "this value"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else f"the date {value}" if isinstance(value, date) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
