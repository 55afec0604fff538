"""Values as text: numbers, durations, tables, and foreign text without anything that a terminal would obey."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, characters that reverse the order of a line, and halves of characters that no stream can encode."""
NARROWEST = 24
"""The least width of the last column of a table, in characters."""


def clean(text: str) -> str:
    """Text that is safe to print: what would move the cursor, change colours or reorder a line is shown as an escape such as `\\x1b`."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def text_of(value: Any) -> str:
    """A value on one line: floats with five digits, a mapping as `name=value`, nothing as `-`."""
    if value is None or value == "" or value == {}:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return " ".join(f"{text_of(name)}={text_of(one)}" for name, one in value.items())
    return clean(" ".join(str(value).splitlines()).replace("\t", " "))


def counted(count: int, noun: str) -> str:
    """How many there are: `1 training run`, `2 training runs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def progress(done: int, budget: int | None) -> str:
    """Training runs done of the budget: `7/20`, or `7/unlimited`."""
    return f"{done}/{budget or 'unlimited'}"


def duration(seconds: float | None) -> str:
    """A time span: `8s`, `3m05s`, `2h10m`, `2d03h`; `-` if it is unknown."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None = None) -> str:
    """Columns aligned by spaces, as `kubectl` prints them; numbers to the right. The last column is wrapped to fit `width` characters, if given."""
    cells = [[text_of(cell) for cell in row] for row in rows]
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    right = [bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(columns))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    written = []
    for line in lines:
        padded = [cell.rjust(size) if is_number else cell.ljust(size) for cell, size, is_number in zip(line, widths, right, strict=True)]
        last = padded[-1].rstrip()
        folded = textwrap.wrap(last, max(NARROWEST, width - before), break_long_words=False) if width and not right[-1] else [last]
        written.append("  ".join([*padded[:-1], folded[0] if folded else ""]).rstrip())
        written += [" " * before + more for more in folded[1:]]
    return "\n".join(written)


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))
