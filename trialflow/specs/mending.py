"""A document with its plain slips put right, so that what they hid shows as well and all problems are told at once."""

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from trialflow.specs.explain import Finding, findings
from trialflow.specs.place import Place, value_at

ROUNDS = 3
"""Slips may hide slips; files that nest deeper than this do not exist."""


def all_findings(error: ValidationError, model: type[BaseModel], data: Any) -> list[Finding]:
    """What `error` says about `data`, and what a `model` would say of it once misspelt and unknown keys and words are put right.

    Rules between fields are looked at only when each field is right by itself. Mending changes nothing but what has one clear meaning, so
    it adds no finding that is not true. Nothing of it is kept.
    """
    found = findings(error, model, data)
    told = {one.place for one in found}
    moved: dict[Place, Place] = {}
    current, latest = deepcopy(data), found
    for _ in range(ROUNDS):
        if not _mend(current, latest, moved):
            break
        try:
            model.model_validate(current)
            break
        except ValidationError as next_error:
            latest = findings(next_error, model, current)
        for one in latest:
            place = _original(one.place, moved)
            if place not in told:
                told.add(place)
                found.append(replace(one, place=place))
    return found


def _mend(data: Any, found: list[Finding], moved: dict[Place, Place]) -> bool:
    """Put right in `data` what has one clear meaning; note keys that were renamed in `moved`. Whether anything was."""
    mended = False
    # The deepest first: the places of the others stay valid.
    for one in sorted(found, key=lambda finding: -len(finding.place)):
        owner = value_at(data, one.place[:-1]) if one.place else None
        if not isinstance(owner, dict | list) or (isinstance(owner, dict) and one.kind != "missing" and one.place[-1] not in owner):
            continue
        key: Any = one.place[-1]
        if one.kind == "unknown" and isinstance(owner, dict):
            value = owner.pop(key)
            if one.suggestion and one.suggestion not in owner:
                owner[one.suggestion] = value
                moved[(*one.place[:-1], one.suggestion)] = one.place
        elif one.kind == "literal" and one.suggestion:
            owner[key] = one.suggestion
        elif one.kind == "type" and (number := _number(one.value)) is not None:
            owner[key] = number
        else:
            continue
        mended = True
    return mended


def _original(place: Place, moved: dict[Place, Place]) -> Place:
    """Where the thing that is at `place` after mending stands in the file."""
    for length in range(len(place), 0, -1):
        if place[:length] in moved:
            return _original(moved[place[:length]] + place[length:], moved)
    return place


def _number(value: Any) -> int | float | None:
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
