"""What pydantic says of a document, in the words of a person: found, allowed, did you mean."""

import difflib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]
REPLACED = {
    "language": "`run` has the command",
    "framework": "the Dockerfile says what is installed",
    "install": "the Dockerfile says what is installed",
    "resources_per_model": "`resources` has what a training run needs",
    "optimization": "experiment.yml has the experiment",
    "build_image": "give `image` and no Dockerfile to use an image as it is",
    "project": "the project is given by --project, SIGOPT_PROJECT or the folder's name",
    "observation_budget": "`budget` says how many training runs",
    "tasks": "multitask experiments are for the core API only",
    "metric": "`metrics` is a list",
}
"""Keys of older files and other APIs, and what to do instead."""
BRANCHES = ("int", "float", "str", "none")
BRANCH_STARTS = ("function-", "constrained-", "list[", "nullable[")


@dataclass(frozen=True)
class Finding:
    """One thing wrong at `place`."""

    place: Place
    found: str
    allowed: str = ""
    suggestion: str | None = None
    kind: str = ""


def findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """Everything that `error` says about a document that should be a `model`, each place once, in the order of the document's fields."""
    result: dict[tuple[Place, str], Finding] = {}
    for detail in error.errors(include_url=False):
        for finding in _explain(detail, model):
            result.setdefault((finding.place, "" if finding.kind == "type" else finding.found), finding)
    return list(result.values())


def _explain(detail: Any, model: type[BaseModel]) -> Iterator[Finding]:
    place, kind, context = _clean(detail["loc"]), detail["type"], detail.get("ctx") or {}
    value = detail.get("input")
    if kind == "rules":
        for at, text in context["violations"]:
            yield Finding((*place, *at), text, kind="rule")
    elif kind == "extra_forbidden":
        yield _unknown_key(place, model)
    elif kind == "missing":
        yield Finding(place, "missing", _described(place, model), kind="missing")
    elif kind == "literal_error":
        options = [str(option) for option in _literals(_annotation(place, model))]
        close = difflib.get_close_matches(str(value), options, 1)
        yield Finding(place, _shown(value), f"allowed: {', '.join(options)}", close[0] if close else None, "literal")
    elif value is None:
        yield Finding(place, "nothing here (a `#[...]` placeholder counts as nothing)", _described(place, model), kind="type")
    elif kind in ("number", "integer", "string", "duration", "variable"):
        yield Finding(place, _shown(value), detail["msg"], kind="type")
    elif kind in ("dict_type", "model_type", "model_attributes_type"):
        yield Finding(place, _shown(value), "expected a mapping of keys to values", kind="type")
    elif kind == "list_type":
        yield Finding(place, _shown(value), "expected a list", kind="type")
    elif kind == "string_pattern_mismatch":
        yield Finding(place, _shown(value), f"expected the form {context.get('pattern')}", kind="value")
    else:
        yield Finding(place, _shown(value), detail["msg"][:1].lower() + detail["msg"][1:], kind="value")


def _clean(location: tuple[Any, ...]) -> Place:
    """Pydantic's location without the names of union branches that it mixes in."""
    return tuple(part for part in location if not (isinstance(part, str) and (part in BRANCHES or part.startswith(BRANCH_STARTS))))


def _unknown_key(place: Place, model: type[BaseModel]) -> Finding:
    owner, key = _model_at(place[:-1], model), str(place[-1])
    if key in REPLACED and key not in owner.model_fields:
        return Finding(place, "unknown key", REPLACED[key], kind="unknown")
    close = difflib.get_close_matches(key, owner.model_fields, 1)
    allowed = "" if close else f"allowed: {', '.join(owner.model_fields)}"
    return Finding(place, "unknown key", allowed, close[0] if close else None, "unknown")


def _described(place: Place, model: type[BaseModel]) -> str:
    owner = _model_at(place[:-1], model) if place else model
    field = owner.model_fields.get(str(place[-1])) if place else None
    return (field.description or "").rstrip(".").lower() if field else ""


def _annotation(place: Place, model: type[BaseModel]) -> Any:
    owner = _model_at(place[:-1], model)
    field = owner.model_fields.get(str(place[-1]))
    return field.annotation if field else None


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _literals(part)


def _model_at(place: Place, model: type[BaseModel]) -> type[BaseModel]:
    """The model of the mapping at `place`."""
    current: Any = model
    for part in place:
        if isinstance(part, int):
            continue  # `_inner` has gone from the list to its items already
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = _inner(field.annotation if field else None)
        else:
            current = _inner(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else model


def _inner(annotation: Any) -> Any:
    """The model inside of optional, annotated and list types; the annotation itself if there is none."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return next((_inner(part) for part in get_args(annotation) if part is not type(None)), None)
    if origin in (list, tuple):
        return _inner(get_args(annotation)[0])
    if origin is dict:
        return _inner(get_args(annotation)[1])
    return annotation


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def dotted(place: Place) -> str:
    """A place as people write it: `parameters[1].type`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
