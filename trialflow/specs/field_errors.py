"""What pydantic says of a document, in the words of a person: found, allowed, did you mean."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from trialflow.specs import advice, introspection
from trialflow.specs.paths import FieldPath, clean, value_at
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
class FieldError:
    """One thing wrong at `path`: what was `found` there in words, what is `allowed`, and the `value` itself.

    `kind` is `missing`, `unknown` (a key), `type`, `literal` (one of several words), `length`, `value` or `rule` (between fields).
    """

    path: FieldPath
    found: str
    allowed: str = ""
    suggestion: str | None = None
    kind: str = ""
    value: Any = None
    limit: int | None = None


def field_errors(error: ValidationError, model: type[BaseModel], data: Any) -> list[FieldError]:
    """Everything that `error` says about `data`, which should be a `model`: each thing once, in the order of the model's fields."""
    found: list[FieldError] = []
    for detail in error.errors(include_url=False):
        found.extend(_explain(detail, model, data))
    return _without_echoes(_joined(found))


def _joined(found: list[FieldError]) -> list[FieldError]:
    """Where none of several types fits, one error that names them all: `expected a number or text; put it in quotes`."""
    by_path: dict[tuple[FieldPath, str], FieldError] = {}
    for one in found:
        key = (one.path, "type" if one.kind == "type" else one.found)
        before = by_path.get(key)
        if before is None or one.kind != "type":
            by_path.setdefault(key, one)
        elif one.allowed not in before.allowed:
            first, _, _ = before.allowed.partition("; ")
            by_path[key] = replace(before, allowed=f"{first} or {one.allowed.removeprefix('expected ')}")
    return list(by_path.values())


def _without_echoes(found: list[FieldError]) -> list[FieldError]:
    """A key that is only misspelt is not missing as well."""
    misspelt = {(*one.path[:-1], one.suggestion) for one in found if one.kind == "unknown" and one.suggestion}
    return [one for one in found if not (one.kind == "missing" and one.path in misspelt)]


def _explain(detail: Any, model: type[BaseModel], data: Any) -> list[FieldError]:
    kind, context, value = detail["type"], detail.get("ctx") or {}, detail.get("input")
    path = clean(detail["loc"], data, is_missing=kind == "missing")
    if kind == "rules":
        return [FieldError((*path, *at), text, kind="rule", value=value) for at, text in context["violations"]]
    if kind == "extra_forbidden":
        return [_unknown_key(path, model, data, value)]
    if kind == "missing":
        return [FieldError(path, "missing", introspection.description(path, model), kind="missing")]
    if kind == "invalid_key" or "[key]" in detail["loc"]:
        key = detail["loc"][-1] if kind == "invalid_key" else value
        return [FieldError(path, f"the key {shown(key)}", "keys are text; put it in quotes", kind="value")]
    if kind == "literal_error":
        options = introspection.options(path, model)
        allowed = f"allowed: {', '.join(options)}"
        return [FieldError(path, shown(value), allowed, advice.meant(str(value), options) if value is not None else None, "literal", value)]
    if value is None:
        return [FieldError(path, "nothing here", introspection.description(path, model) or detail["msg"], kind="type")]
    if kind in TYPE_ERRORS:
        return [FieldError(path, shown(value), TYPE_ERRORS[kind] or detail["msg"], kind="type", value=value)]
    return [_out_of_limits(path, kind, context, value, detail["msg"])]


def _out_of_limits(path: FieldPath, kind: str, context: dict[str, Any], value: Any, message: str) -> FieldError:
    if kind == "greater_than":
        return FieldError(path, shown(value), f"it must be above {context['gt']}", kind="value", value=value)
    if kind == "greater_than_equal":
        return FieldError(path, shown(value), f"it must be {context['ge']} or more", kind="value", value=value)
    if kind == "too_short" and isinstance(value, list):
        found = f"a list of {len(value)}" if value else "an empty list"
        return FieldError(path, found, f"at least {context['min_length']}", kind="length", value=value, limit=context["min_length"])
    if kind in ("string_too_short", "too_short"):
        return FieldError(path, "empty", kind="length", value=value, limit=context["min_length"])
    if kind == "string_too_long":
        found = f"{len(value)} characters" if isinstance(value, str) else shown(value)
        return FieldError(path, found, f"at most {context['max_length']}", kind="length", value=value, limit=context["max_length"])
    return FieldError(path, shown(value), message[:1].lower() + message[1:], kind="value", value=value)


def _unknown_key(path: FieldPath, model: type[BaseModel], data: Any, value: Any) -> FieldError:
    owner, key = introspection.model_at(path[:-1], model) or model, str(path[-1])
    if known := advice.KEYS.get(owner.__name__, {}).get(key):
        return FieldError(path, "unknown key", known, kind="unknown", value=value)
    given = value_at(data, path[:-1])
    suggestion = advice.meant(key, [name for name in owner.model_fields if name not in given])
    allowed = "" if suggestion else f"allowed: {', '.join(owner.model_fields)}"
    return FieldError(path, "unknown key", allowed, suggestion, "unknown", value)


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
