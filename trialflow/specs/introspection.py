"""What the models say about a path: the model around it, the type that belongs there, its description."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from trialflow.specs.paths import FieldPath

JSON_TYPES = {str: "string", SecretStr: "string", dict: "object", list: "array", tuple: "array", bool: "boolean", type(None): "null"}


def model_at(path: FieldPath, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model of the mapping at `path`, None where a free mapping, a list or a single value stands."""
    return next((one for one in _branches(_type_at(path, model)) if isinstance(one, type) and issubclass(one, BaseModel)), None)


def description(path: FieldPath, model: type[BaseModel]) -> str:
    """What belongs at `path`, to go on a sentence with; empty for what is inside of free mappings and lists."""
    owner = model_at(path[:-1], model) if path else None
    field = owner.model_fields.get(str(path[-1])) if owner else None
    text = ((field.description if field else None) or "").rstrip(".")
    is_word = text[1:2].islower() or text[1:2] == " "
    return text[:1].lower() + text[1:] if is_word else text


def options(path: FieldPath, model: type[BaseModel]) -> list[str]:
    """The values of the `Literal` at `path`."""
    return [str(value) for one in _branches(_type_at(path, model)) if get_origin(one) is Literal for value in get_args(one)]


def json_types(path: FieldPath, model: type[BaseModel]) -> list[str]:
    """The JSON types that are allowed at `path`, as SigOpt's messages name them."""
    found: list[str] = []
    branches = list(_branches(_type_at(path, model)))
    for one in branches:
        base = get_origin(one) or one
        if base is Literal:
            name = "string"
        elif base in (int, float):
            name = "number" if float in branches else "integer"
        elif isinstance(base, type) and issubclass(base, BaseModel):
            name = "object"
        else:
            name = JSON_TYPES.get(base)
        if name and name not in found:
            found.append(name)
    return found


def _type_at(path: FieldPath, model: type[BaseModel]) -> Any:
    current: Any = model
    for part in path:
        inner = [_inside(one, part) for one in _branches(current)]
        current = next((one for one in inner if one is not None), None)
    return current


def _inside(annotation: Any, part: str | int) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    if origin is list and isinstance(part, int):
        return arguments[0]
    return arguments[1] if origin is dict else None


def _branches(annotation: Any) -> Iterator[Any]:
    """The types that `annotation` allows, without `Annotated` and unions around them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _branches(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _branches(part)
    else:
        yield annotation
