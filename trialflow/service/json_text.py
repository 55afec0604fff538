"""JSON both ways: strict and bounded when it is read, always valid when it is written. Pure."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from trialflow.service.errors import BadRequest

MOST_KEYS = 500_000
"""Keys in one body, all objects together."""
MOST_DEPTH = 32
MOST_DIGITS = 309
"""Digits of the largest float; an integer of more is no number that anything here can work with."""
SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]")
"""Escapes of NUL and of surrogates: the only ways in which either gets into valid UTF-8 JSON."""


def parse(text: bytes) -> Any:
    """The value of JSON text. Raises `BadRequest`, which says what is wrong.

    Refused: NaN and infinity, numbers that no float can hold, a key that appears twice in one object, NUL and unpaired surrogates in strings, and
    text that nests too deep or has too many keys. Takes time linear in the length of the text.
    """
    keys = 0

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        if keys > MOST_KEYS:
            raise ValueError(f"it has more than {MOST_KEYS} keys")
        result = dict(pairs)
        if len(result) < len(pairs):
            raise ValueError(f"the key {_first_duplicate(pairs)[:100]!r} appears twice")
        return result

    try:
        data = json.loads(
            text.decode(), object_pairs_hook=without_duplicates, parse_constant=_no_constant, parse_float=_finite_float, parse_int=_bounded_int
        )
    except RecursionError:
        raise BadRequest(f"Invalid JSON: it is nested more than {MOST_DEPTH} levels deep") from None
    except ValueError as error:
        raise BadRequest(f"Invalid JSON: {str(error)[:200]}") from None
    if text.count(b"[") + text.count(b"{") > MOST_DEPTH and _depth(data) > MOST_DEPTH:
        raise BadRequest(f"Invalid JSON: it is nested more than {MOST_DEPTH} levels deep")
    if SUSPICIOUS.search(text):
        for string in _strings(data):
            check_text(string)
    return data


def check_text(text: str) -> None:
    """Refuse text that databases and clients cannot hold: NUL characters and unpaired surrogates."""
    if "\0" in text:
        raise BadRequest("Invalid text: it contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("Invalid text: it contains an unpaired surrogate") from None


def dump(value: Any) -> str:
    """Compact JSON. Infinity and NaN, which JSON does not have, become null."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _first_duplicate(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:20]} is too large")
    return number


def _bounded_int(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"the number {digits[:20]}... is too large")
    return int(digits)


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while depth <= MOST_DEPTH and (level := [one for one in level if isinstance(one, dict | list)]):
        depth, level = depth + 1, [child for one in level for child in _children(one)]
    return depth


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
