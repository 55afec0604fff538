"""The parameters of a flow as JSON Schema: what the UI makes a form of, and the server validates."""

from collections.abc import Mapping
from typing import Any

NESTED = ("properties", "definitions")
WORDS = {"url": "URL", "api": "API", "id": "ID", "aws": "AWS"}


def with_titles(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema with a title for people on every field: the given one, else the field's name in words."""
    return _with_titles(dict(schema))


def _with_titles(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_titles(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    made = {name: value if name in ("default", "examples", "enum", "const") else _with_titles(value) for name, value in node.items()}
    properties = made.get("properties")
    if isinstance(properties, dict):
        for name, field in properties.items():
            if isinstance(field, dict):
                properties[name] = {**field, "title": _title(name, field.get("title"))}
    return made


def _title(name: str, given: Any) -> str:
    """Prefect gives a parameter its name as the title, pydantic a field its name with capitals: neither was chosen by anybody."""
    if given and given not in (name, name.replace("_", " ").title()):
        return str(given)
    first, *others = name.split("_")
    return " ".join([WORDS.get(first, first.capitalize()), *(WORDS.get(word, word) for word in others)])
