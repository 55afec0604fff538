"""The parameters of a flow as JSON Schema: what the UI makes a form of, and the server validates."""

import re
from collections.abc import Mapping
from typing import Any

WORDS = {"url": "URL", "uri": "URI", "api": "API", "id": "ID", "aws": "AWS", "mlflow": "MLflow", "cpu": "CPU", "gpu": "GPU", "gpus": "GPUs"}
CHOICES = {"string": "Text", "number": "Number", "integer": "Number", "array": "List", "object": "Fields", "boolean": "Yes or no", "null": "Nothing"}
"""What a choice between kinds of values is called where it has no title."""
BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""Bounds of a choice as pydantic names them, and as JSON Schema does."""

TITLES = {"aws": "AWS credentials", "credentials": "AWS credentials"}
"""Parameters whose names say too little."""
FOLDER = "directory"
"""The parameter that a flow can do without, and its deployment cannot: it runs in no folder of the user's. As a Job it finds none there either."""


def form_of(schema: Mapping[str, Any], *, has_folders: bool = True) -> dict[str, Any]:
    """The schema of a deployment's parameters: a title on every field, the model's folder required, and a choice only where there is one to make.

    The folder is not required where flows run on no machine of the user's, which `has_folders` denies.

    Parameters may be null where the flow's may, as the automation that has an experiment go on gives them all: Prefect's server takes null for one
    that has a type and no default.
    """
    made = with_titles(schema)
    groups = made.get("definitions") or {}
    properties = {name: _plain(field, groups) for name, field in made["properties"].items()}
    definitions = {name: {**_plain(one, groups), "title": _title_of_group(name)} for name, one in groups.items()}
    required = list(made.get("required") or [])
    if FOLDER in properties and has_folders:
        required.append(FOLDER)
    return {**made, "properties": properties, "required": required, **({"definitions": definitions} if definitions else {})}


def _plain(node: Any, groups: Mapping[str, Any]) -> Any:
    """Without `null` beside the one other type of a field that may be left out anyway: the UI would ask which of the two is meant.

    A group of fields keeps the choice if some of them are required: the UI fills in the others by itself, and would send half a group.
    """
    if isinstance(node, list):
        return [_plain(one, groups) for one in node]
    if not isinstance(node, Mapping):
        return node
    types = node.get("anyOf")
    if isinstance(types, list) and node.get("default", "") is None and {"type": "null"} in types and len(types) == 2:
        (kind,) = [one for one in types if one != {"type": "null"}]
        kinds = kind.get("oneOf") or [kind]
        if any(groups.get(str(one.get("$ref", "")).rpartition("/")[2], {}).get("required") for one in kinds):
            node = {**node, "anyOf": [*kinds, {"type": "null"}]}
        else:
            rest = {name: value for name, value in node.items() if name not in ("anyOf", "default")}
            return {**_plain(kind, groups), **rest}
    return _named({name: value if name in ("default", "examples", "enum", "const") else _plain(value, groups) for name, value in node.items()})


def _named(node: dict[str, Any]) -> dict[str, Any]:
    """A choice as the UI shows it well: `anyOf` with a name for each, and no choice between a number and a whole number, which is one too."""
    options = node.get("anyOf") or node.get("oneOf")
    if not isinstance(options, list):
        return node
    node = {name: value for name, value in node.items() if name not in ("anyOf", "oneOf")}
    types = [one.get("type") for one in options]
    kept = [one for one in options if one != {"type": "integer"} or "number" not in types]
    if len(kept) == 1:
        return {**kept[0], **{BOUNDS.get(name, name): value for name, value in node.items()}}
    return {**node, "anyOf": [one if "$ref" in one or one.get("title") else {"title": CHOICES.get(one.get("type"), "Value"), **one} for one in kept]}


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
        for place, (name, field) in enumerate(properties.items()):
            if isinstance(field, dict):  # PostgreSQL keeps fields in an order of its own; the UI goes by their positions
                properties[name] = {"position": place, **field, "title": _title(name, field.get("title"))}
    return made


def _title(name: str, given: Any) -> str:
    """Prefect gives a parameter its name as the title, pydantic a field its name with capitals: neither was chosen by anybody."""
    if given == name and name in TITLES:
        return TITLES[name]
    if given and given not in (name, name.replace("_", " ").title()):
        return str(given)
    first, *others = name.split("_")
    return " ".join([WORDS.get(first, first.capitalize()), *(WORDS.get(word, word) for word in others)])


def _title_of_group(name: str) -> str:
    """The name of a class as a choice between groups of fields shows it."""
    words = re.findall("[A-Z][a-z0-9]*", name.removesuffix("Spec"))
    return _title("_".join(word.lower() for word in words), None) if words else name
