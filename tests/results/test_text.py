"""Values as text, and foreign text made harmless."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trialflow.results.text import UNSAFE, clean, duration, table, text_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (-5, "0s"), (0.4, "0s"), (59, "59s"), (185, "3m05s"), (7800, "2h10m"), (86400 * 2 + 3 * 3600, "2d03h")],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ({}, "-"),
        (0.123456789, "0.12346"),
        (12, "12"),
        (True, "True"),
        ({"a": 0.5, "b": "c"}, "a=0.5 b=c"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ({"\x1b]0;title\x07": 1.0}, "\\x1b]0;title\\x07=1"),
    ],
)
def test_a_value_is_one_line_that_a_terminal_obeys_in_nothing(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_text_that_reorders_a_line_or_cannot_be_encoded_is_shown_as_an_escape() -> None:
    assert clean("exe\u202egnp.\ud800 \x9b31m") == "exe\\u202egnp.\\ud800 \\x9b31m"
    assert clean("caf\u00e9 \u65e5\u672c \U0001f389\n\tindented [red]") == "caf\u00e9 \u65e5\u672c \U0001f389\n\tindented [red]"


@given(some.text() | some.text(some.characters(categories=["Cc", "Cs"])))
def test_whatever_the_text_is_nothing_unsafe_is_left_and_it_can_be_encoded(text: str) -> None:
    assert not UNSAFE.search(clean(text))
    clean(text).encode()
    assert "\n" not in text_of(text)


def test_numbers_are_aligned_to_the_right_and_a_table_has_no_trailing_blanks() -> None:
    assert table(["ID", "NAME"], [[7, "a"], [12, None]]).splitlines() == ["ID  NAME", " 7  a", "12  -"]


def test_the_last_column_is_wrapped_to_the_width_and_whole_without_one() -> None:
    row = ["run", "one two three four five six seven eight nine"]
    narrow = table(["RUN", "REASON"], [row], width=30).splitlines()
    assert len(narrow) > 2 and max(map(len, narrow)) <= 30
    assert table(["RUN", "REASON"], [row]).splitlines()[1] == f"run  {row[1]}"
