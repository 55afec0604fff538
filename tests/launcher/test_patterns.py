"""Printed metrics: every number is read whole, wrong ones are told, and no expression holds anything up."""

import re
import time
from typing import Any

import pytest

from tasks.kubernetes.jobs.printed import TimedPatterns
from trialflow.launcher.patterns import Patterns
from trialflow.launcher.printed_numbers import expanded

KINDS = [Patterns, TimedPatterns]


class Kept:
    """A journal that remembers, and the warnings."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []
        self.said = b""

    def add_later(self, kind: str, body: Any) -> None:
        self.values.append(body["values"])

    def warn(self, line: bytes) -> None:
        self.said += line


def searched(kind: type[Patterns], pattern: str, *lines: str) -> tuple[Patterns, Kept]:
    kept = Kept()
    patterns = kind({"m": pattern}, kept, kept.warn)
    for line in lines:
        patterns.feed(line.encode() + b"\n")
    patterns.close()
    return patterns, kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["1", "-1.5", "1.2e-05", "3.5E-7", "+.5", "7.", "0x"])
def test_the_placeholder_reads_every_number_whole(kind: type[Patterns], text: str) -> None:
    patterns, kept = searched(kind, "m={number}", f"m={text} end")
    assert kept.values == [{"m": {"value": float(text.removesuffix("x"))}}] and patterns.complaint is None


@pytest.mark.parametrize("pattern", ["m=({number})", "epoch {number} m=({number})", "m={number}"])
def test_the_placeholder_is_the_group_unless_there_is_one(pattern: str) -> None:
    assert searched(Patterns, pattern, "epoch 3 m=0.5")[1].values == [{"m": {"value": 0.5}}]
    assert "(" in expanded(pattern)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pattern", "line"), [("m=([0-9.]+)", "m=1.2e-05"), ("m=([0-9.]+)", "m=3.5E-7"), ("([0-9.]+)$", "m=-5"), ("m=([0-9]+)", "m=1.5")]
)
def test_a_match_that_stops_inside_a_number_is_told_and_not_counted(kind: type[Patterns], pattern: str, line: str) -> None:
    patterns, kept = searched(kind, pattern, line)
    assert kept.values == [] and "{number}" in (patterns.complaint or "") and b"{number}" in kept.said


def test_a_part_of_a_number_may_be_meant() -> None:
    assert searched(Patterns, r"t=([0-9]+)\.[0-9]+s", "t=12.75s")[1].values == [{"m": {"value": 12}}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_last_value_that_is_no_number_takes_the_one_before_away(kind: type[Patterns]) -> None:
    patterns, kept = searched(kind, "m=(.*)", "m=0.1", "m=nan")
    assert kept.values == [{"m": {"value": 0.1}}, {"m": None}] and patterns.complaint == "the last m was nan"
    assert searched(kind, "m=(.*)", "m=nan", "m=0.2")[0].complaint is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pattern", "lines", "complaint"),
    [
        ("m=([0-9.]+)", ["m=0.1", "m=nan"], "the last m was nan"),
        ("m=([0-9.]+)", ["m=0.1 m=-inf"], "the last m was -inf"),
        ("m=([0-9.]+)", ["m=nan"], "the last m was nan"),
        (r"(-?\d+\.\d+)", ["m=0.1", "m=nan"], "the last m was nan"),
        (r"(-?\d+\.\d+)$", ["0.1", "Infinity"], "the last m was Infinity"),
        (r"(?<=m=)(?P<value>[0-9.]+)", ["epoch 1 m=0.1", "epoch 2 m=nan"], "the last m was nan"),
        (r"m=(\d+\.\d+)", ["m=0.1", "m=5e-06"], "does not read 5e-06"),
        (r"m: +([0-9.]+)", ["m:  0.1", "m: -0.2"], "does not read -0.2"),
        ("m=([0-9.]+)", ["m=0.1", "m=1,234.5"], "separators in 'm=1,234.5'"),
        ("m=([0-9]+)", ["m=1_000_000"], "separators"),
        ("m={number}", ["m=1,234.5"], "separators"),
        ("([0-9.]+)$", ["m=1,234.5"], "separators"),
    ],
)
def test_no_older_or_partial_value_counts_where_the_last_number_is_not_read(
    kind: type[Patterns], pattern: str, lines: list[str], complaint: str
) -> None:
    patterns, kept = searched(kind, pattern, *lines)
    assert complaint in (patterns.complaint or "")
    assert (kept.values or [{"m": None}])[-1] == {"m": None}
    good = re.sub("[^m=: ]+$", "7" if pattern == "m=([0-9]+)" else "2.5", lines[-1])
    assert searched(kind, pattern, *lines, good)[0].complaint is None, "a number that is read afterwards counts"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        (r"(\d+\.\d+)", ["0.5", "100%", "epoch 3", "nan values were left out: 7", "lines of information"]),
        (r"m.*?(\d+\.\d+)", ["m=0.5", "m took 3 s", "m=0.5 in minutes"]),
        ("m=([0-9.]+)", ["m=0.5", "m=nano", "lr=nan m=0.5", "m=", "n=nan"]),
        (r"m=([0-9.]+)", ["m=nan", "m=0.5"]),
        (r"m=((\d)\.\d) \2", ["m=0.5 0", "m=nan 0"]),
        (r"m=([0-9.]+)?", ["m=0.5", "m=nano"]),
        (r"m\(([0-9.]+)[)]", ["m(0.5)", "m(3"]),
        (r"^\d+,([0-9.]+)", ["3,0.5,0.25", "4,0.5,120"]),
        (r"[(]m=([0-9.]+),", ["(m=0.5,120)"]),
    ],
)
def test_other_numbers_are_not_taken_for_the_last_one(kind: type[Patterns], pattern: str, lines: list[str]) -> None:
    patterns, kept = searched(kind, pattern, *lines)
    assert patterns.complaint is None and kept.values[-1] == {"m": {"value": 0.5}}


def test_colours_around_a_number_are_seen_through() -> None:
    assert searched(Patterns, "m={number}", "\x1b[1mm=\x1b[32m0.5\x1b[0m")[1].values == [{"m": {"value": 0.5}}]


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_without_end_is_given_up(kind: type[Patterns]) -> None:
    before = time.process_time()
    patterns, kept = searched(kind, "(a+)+$", *["a" * 5000 + "!"] * 20)
    assert time.process_time() - before < 5
    assert kept.values == [] and "too long" in (patterns.complaint or "") and b"too long" in kept.said
