"""Results on stdout, and the option `-o table|json|yaml|name` of every command that shows some."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from trialflow.results.text import clean, table

output_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "name"]),
    default="table",
    help="The format: a table for people, JSON or YAML for programs, or names only.",
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
    """Print `data` in the format `output`: all of it as JSON or YAML, `names` one per line, or a table of `rows` (or `text`) for people."""
    if output == "json":
        click.echo(json.dumps(data, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    elif output == "name":
        for name in names:
            click.echo(clean(name))
    elif text is not None:
        click.echo(clean(text))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(table(columns, rows, width=width))
