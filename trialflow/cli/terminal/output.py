"""The option `-o table|json|yaml|name` that every command has which shows something."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

output_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "name"]),
    default="table",
    help="How to show it: for people, for programs, or names alone.",
)


def show(
    data: Any,
    *,
    output: str,
    names: Sequence[str],
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[Any]] = (),
    text: str | None = None,
) -> None:
    """Print `data` on stdout as `output` says: all of it as JSON or YAML, `names` one a line, or a table of `rows` (or `text`) for people."""
    if output == "json":
        click.echo(json.dumps(data, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    elif output == "name":
        for name in names:
            click.echo(name)
    elif text is not None:
        click.echo(text)
    else:
        _table(columns, rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns aligned by spaces, as `kubectl` prints them: readable, and easy for `awk`. Numbers to the right."""
    cells = [[text_of(cell) for cell in row] for row in rows]
    widths = [max(len(line[index]) for line in [list(columns), *cells]) for index in range(len(columns))]
    right = [all(isinstance(row[index], int | float) or row[index] is None for row in rows) and bool(rows) for index in range(len(columns))]
    for line in [list(columns), *cells]:
        padded = [cell.rjust(width) if is_number else cell.ljust(width) for cell, width, is_number in zip(line, widths, right, strict=True)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def text_of(value: Any) -> str:
    """A value for a person: floats with five digits, nothing as `-`."""
    if value is None or value == "" or value == {}:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text_of(one)}" for name, one in value.items())
    return str(value)
