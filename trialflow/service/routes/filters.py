"""Filters and sorting of training runs as the API has them: by fields of the row, and by dotted names of what is in its maps. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialflow.service import validation
from trialflow.service.errors import BadRequest

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
}
ALL_OPERATORS = (*OPERATORS, "isnull")
EQUALITY = ("==", "!=", "isnull")
MOST_FILTERS = 50
INDEXED = ("id", "experiment", "name", "state", "deleted")
"""Fields whose equality the database itself looks for."""
KINDS: dict[str, str] = {
    **dict.fromkeys(("id", "experiment", "observation", "suggestion"), "id"),
    **dict.fromkeys(("created", "updated", "completed"), "number"),
    **dict.fromkeys(("deleted", "finished", "favorite", "optimized_suggestion"), "boolean"),
    **dict.fromkeys(("name", "client", "user", "model.type", "source_code.content", "source_code.hash"), "string"),
    "state": "state",
}
"""Field -> what its values are."""
Shown = Mapping[str, Any]
Filter = tuple[str, str, Any]


def parse(filters: Any) -> list[Filter]:
    """Checked filters: field, operator, value. Raises `BadRequest` for an unknown field or operator, and for a value of the wrong type."""
    if filters is None:
        return []
    if not isinstance(filters, list) or not all(isinstance(one, Mapping) for one in filters):
        raise BadRequest(f"Invalid type for .filters: {validation.excerpt(filters)} - expected an array of objects")
    if len(filters) > MOST_FILTERS:
        raise BadRequest(f".filters has {len(filters)} entries, at most {MOST_FILTERS} are allowed")
    return [_parsed(one) for one in filters]


def _parsed(one: Mapping[str, Any]) -> Filter:
    validation.known_keys(one, ("field", "operator", "value", "object"))
    field, value = one.get("field"), one.get("value")
    kind = kind_of(field)
    operator = validation.one_of(one.get("operator"), ALL_OPERATORS)
    path = f".filters.{field}"
    if operator == "isnull":
        if value is not None and not isinstance(value, bool):
            raise BadRequest(f"Invalid type for {path}: {validation.excerpt(value)} - isnull expects true or false")
        return str(field), operator, value
    if kind == "state" and operator != "==":
        raise BadRequest("The field state can only be compared with ==")
    if operator not in EQUALITY and (value is None or kind == "boolean"):
        raise BadRequest(f"{path} cannot be compared with {validation.excerpt(value)} by {operator}")
    return str(field), operator, None if value is None and kind != "state" else _value(kind, value, path)


def _value(kind: str, value: Any, path: str) -> Any:
    if kind == "id":
        return validation.integer(value, path)
    if kind == "number":
        return validation.finite(value, path)
    if kind == "state":
        return validation.one_of(value, validation.STATES)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("string", "number or string") and isinstance(value, str):
        return value
    if kind == "number or string" and not isinstance(value, str):
        return validation.finite(value, path)
    raise BadRequest(f"Invalid type for {path}: {validation.excerpt(value)} - expected type {kind}")


def kind_of(field: Any) -> str:
    """What the values of a field are. Raises `BadRequest` for a field that training runs do not have."""
    if isinstance(field, str):
        if field in KINDS:
            return KINDS[field]
        head, _, rest = field.partition(".")
        if head in ("assignments", "metadata", "dev_metadata") and rest:
            return "number or string"
        name, _, part = rest.rpartition(".")
        if name and (head, part) in (("values", "value"), ("values", "value_stddev")):
            return "number"
        if name and (head, part) == ("logs", "content"):
            return "string"
    raise BadRequest(f"{validation.excerpt(field)} is not a field of training runs to filter or sort by")


def value_of(shown: Shown, field: str) -> Any:
    """A field of a training run as the API shows it; ids as numbers; None for what is missing."""
    if KINDS.get(field) == "id":
        return None if shown[field] is None else int(shown[field])
    if field in KINDS and "." not in field:
        return shown[field]
    head, _, rest = field.partition(".")
    if head in ("values", "logs"):
        name, _, part = rest.rpartition(".")
        return (shown[head].get(name) or {}).get(part)
    return (shown[head] or {}).get(rest)


def matches(shown: Shown, filters: Sequence[Filter]) -> bool:
    """Whether a training run satisfies all filters."""
    return all(_matches(value_of(shown, field), operator, wanted) for field, operator, wanted in filters)


def _matches(found: Any, operator: str, wanted: Any) -> bool:
    if operator == "isnull":
        return (found is None) == (wanted is not False)
    if found is None and operator not in EQUALITY:
        return False
    if operator not in EQUALITY and isinstance(found, str) != isinstance(wanted, str):
        return False
    return OPERATORS[operator](found, wanted)


def ascending_key(field: str, *, missing_last: bool) -> Callable[[Shown], Any]:
    """A key for ascending order: text after numbers, equal values by id, and what is missing at one end."""

    def key(shown: Shown) -> tuple[Any, ...]:
        value = value_of(shown, field)
        return ((value is None) == missing_last, isinstance(value, str), 0 if value is None else value, int(shown["id"]))

    return key
