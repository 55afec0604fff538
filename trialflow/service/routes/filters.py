"""Filters and sorting of training runs, as the API has them: fields of the row, and of the maps by dotted names."""

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
COLUMNS = ("id", "experiment", "observation", "suggestion", "created", "updated", "completed", "deleted", "name", "state")
PLAIN = (*COLUMNS, "client", "user", "finished", "favorite", "optimized_suggestion", "model.type", "source_code.content", "source_code.hash")
MAPS = ("assignments", "metadata", "dev_metadata", "values", "logs")
INDEXED = ("id", "experiment", "name", "state", "deleted")
"""Fields whose equality the database itself looks for."""
Shown = Mapping[str, Any]


def parse(filters: Any) -> list[tuple[str, str, Any]]:
    """Checked filters: field, operator, value. Raises `BadRequest`."""
    if filters is None:
        return []
    if not isinstance(filters, list) or not all(isinstance(one, Mapping) for one in filters):
        raise BadRequest(f"Invalid type for .filters: {validation.excerpt(filters)} - expected an array of objects")
    result = []
    for one in filters:
        field, operator, value = one.get("field"), one.get("operator"), one.get("value")
        check_field(field)
        if operator != "isnull" and operator not in OPERATORS:
            raise BadRequest(f"{operator} is not one of the allowed values: {', '.join(OPERATORS)}, isnull")
        if field == "state" and operator != "==":
            raise BadRequest("The field state can only be compared with ==")
        result.append((field, operator, value))
    return result


def check_field(field: Any) -> None:
    """Refuse a field that training runs do not have."""
    known = isinstance(field, str) and (field in PLAIN or (field.split(".")[0] in MAPS and "." in field))
    if not known:
        raise BadRequest(f"{field} is not a field of training runs that can be filtered or sorted by")


def value_of(shown: Shown, field: str) -> Any:
    """A field of a training run as the API shows it; ids as numbers; None for what is not there."""
    if field in ("id", "experiment", "observation", "suggestion"):
        return None if shown[field] is None else int(shown[field])
    if field in PLAIN and "." not in field:
        return shown[field]
    head, _, rest = field.partition(".")
    if head in ("values", "logs") and "." in rest:
        name, _, part = rest.rpartition(".")
        return (shown[head].get(name) or {}).get(part)
    return (shown[head] or {}).get(rest)


def matches(shown: Shown, filters: Sequence[tuple[str, str, Any]]) -> bool:
    """Whether a training run satisfies all filters."""
    return all(_matches(value_of(shown, field), operator, _wanted(field, value)) for field, operator, value in filters)


def _matches(found: Any, operator: str, wanted: Any) -> bool:
    if operator == "isnull":
        return (found is None) == (wanted is not False)
    if found is None and operator not in ("==", "!="):
        return False
    try:
        return OPERATORS[operator](found, wanted)
    except TypeError:
        return False


def _wanted(field: str, value: Any) -> Any:
    if field in ("id", "experiment", "observation", "suggestion") and value is not None:
        return validation.integer(value, f".filters.{field}")
    return value


def sort_key(field: str) -> Callable[[Shown], Any]:
    """A key that puts what is missing last and never compares texts with numbers."""

    def key(shown: Shown) -> tuple:
        value = value_of(shown, field)
        return (value is None, isinstance(value, str), value if value is not None else 0)

    return key
