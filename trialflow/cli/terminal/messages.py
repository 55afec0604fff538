"""How the command line talks: data on stdout, talk on stderr, one colour each for done, error, warning and path."""

import os
import sys
from collections.abc import Sequence

import click


def has_colour() -> bool:
    """Whether talk may be coloured: stderr is a terminal and NO_COLOR is not set."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def error(text: str) -> None:
    """Say what went wrong."""
    _say("error:", text, "red")


def hint(text: str) -> None:
    """Say what to do about it."""
    _say("hint:", text, "cyan")


def warn(text: str) -> None:
    """Say what may surprise."""
    _say("warning:", text, "yellow")


def say(text: str) -> None:
    """Say anything else."""
    # Not click.echo, which has a stream of its own: what is said while a live table is shown goes above it.
    print(text, file=sys.stderr, flush=True)


def next_commands(commands: Sequence[str]) -> None:
    """Say at most three commands that one would type next; each can be copied."""
    for number, command in enumerate(commands[:3]):
        say(("next: " if number == 0 else "      ") + command)


def _say(label: str, text: str, colour: str) -> None:
    label = click.style(label, fg=colour, bold=True) if has_colour() else label
    say(f"{label} {text}")
