"""JSON that is read is strict and bounded; JSON that is written is valid."""

import json
import math
import time

import pytest

from trialflow.service.errors import BadRequest
from trialflow.service.json_text import MOST_DEPTH, MOST_KEYS, check_text, dump, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": ' + b"1" * 400 + b"}", "too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        (b'{"a": "x\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\ud800"]', "surrogate"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), "levels deep"),
        (b'{"a": ' * (MOST_DEPTH + 1) + b"1" + b"}" * (MOST_DEPTH + 1), "levels deep"),
        (b"\xff", "Invalid JSON"),
        (b"{", "Invalid JSON"),
    ],
)
def test_what_is_not_plain_json_is_refused(text: bytes, expected: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse(text)
    assert expected in raised.value.message and len(raised.value.message) < 400


@pytest.mark.parametrize(
    "text", ['{"a": "\\\\u0000"}', '{"a": "\\ud83d\\ude00"}', '{"a": 1e300}', "[1" + "0" * 300 + "]", "[" * MOST_DEPTH + "]" * MOST_DEPTH]
)
def test_text_about_escapes_pairs_of_surrogates_and_large_numbers_are_fine(text: str) -> None:
    assert parse(text.encode()) == json.loads(text)


def test_many_keys_of_which_two_are_the_same_take_linear_time() -> None:
    text = ("{" + ",".join(f'"{number}":0' for number in range(200_000)) + ',"199999":1}').encode()
    begin = time.process_time()
    with pytest.raises(BadRequest, match="'199999' appears twice"):
        parse(text)
    assert time.process_time() - begin < 5


def test_keys_are_counted_over_all_objects() -> None:
    row = "{" + ",".join(f'"{number}":0' for number in range(1000)) + "}"
    assert len(parse(("[" + ",".join([row] * (MOST_KEYS // 1000)) + "]").encode())) == MOST_KEYS // 1000
    with pytest.raises(BadRequest, match="keys"):
        parse(("[" + ",".join([row] * (MOST_KEYS // 1000 + 1)) + "]").encode())


def test_infinity_is_written_as_null() -> None:
    assert json.loads(dump({"a": [math.inf, -math.inf, math.nan, 1.5], "b": {"c": math.inf}})) == {"a": [None, None, None, 1.5], "b": {"c": None}}


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_database_holds_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        check_text(text)
