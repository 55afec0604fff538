"""Error recovery: obvious slips are corrected in a copy, so that the errors they hid are reported in the same pass."""

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from trialflow.specs.field_errors import FieldError, field_errors
from trialflow.specs.paths import FieldPath, value_at

ROUNDS = 3
"""Slips may hide slips; files that nest deeper than this do not exist."""


def all_errors(error: ValidationError, model: type[BaseModel], data: Any) -> list[FieldError]:
    """What `error` says about `data`, and what a `model` would say of it once misspelt and unknown keys and words are put right.

    Rules between fields are looked at only when each field is right by itself. Only what has one clear meaning is corrected, so
    no error is added that is not true. The corrected copy is thrown away.
    """
    found = field_errors(error, model, data)
    told = {one.path for one in found}
    moved: dict[FieldPath, FieldPath] = {}
    current, latest = deepcopy(data), found
    for _ in range(ROUNDS):
        if not _correct(current, latest, moved):
            break
        try:
            model.model_validate(current)
            break
        except ValidationError as next_error:
            latest = field_errors(next_error, model, current)
        for one in latest:
            path = _original(one.path, moved)
            if path not in told:
                told.add(path)
                found.append(replace(one, path=path))
    return found


def _correct(data: Any, found: list[FieldError], moved: dict[FieldPath, FieldPath]) -> bool:
    """Put right in `data` what has one clear meaning; note keys that were renamed in `moved`. Whether anything was."""
    corrected = False
    # The deepest first: the paths of the others stay valid.
    for one in sorted(found, key=lambda error: -len(error.path)):
        owner = value_at(data, one.path[:-1]) if one.path else None
        if not isinstance(owner, dict | list) or (isinstance(owner, dict) and one.kind != "missing" and one.path[-1] not in owner):
            continue
        key: Any = one.path[-1]
        if one.kind == "unknown" and isinstance(owner, dict):
            value = owner.pop(key)
            if one.suggestion and one.suggestion not in owner:
                owner[one.suggestion] = value
                moved[(*one.path[:-1], one.suggestion)] = one.path
        elif one.kind == "literal" and one.suggestion:
            owner[key] = one.suggestion
        elif one.kind == "type" and (number := _number(one.value)) is not None:
            owner[key] = number
        else:
            continue
        corrected = True
    return corrected


def _original(path: FieldPath, moved: dict[FieldPath, FieldPath]) -> FieldPath:
    """Where the thing that is at `path` after correcting stands in the file."""
    for length in range(len(path), 0, -1):
        if path[:length] in moved:
            return _original(moved[path[:length]] + path[length:], moved)
    return path


def _number(value: Any) -> int | float | None:
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
