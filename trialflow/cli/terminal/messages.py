"""Messages of the command line. They go to stderr; stdout is for results."""

import os
import sys
from collections.abc import Sequence

import click

from trialflow.network import without_logins
from trialflow.results.text import clean


def has_colour() -> bool:
    """Whether messages may be coloured: stderr is a terminal and NO_COLOR is not set."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def error(text: str) -> None:
    """Say what went wrong."""
    _say("error:", text, "red")


def hint(text: str) -> None:
    """Say what to do about it."""
    _say("hint:", text, "cyan")


def warn(text: str) -> None:
    """Say what may be unexpected."""
    _say("warning:", text, "yellow")


def say(text: str) -> None:
    """Say anything else."""
    _print(clean(text))


def next_commands(commands: Sequence[str]) -> None:
    """Suggest at most three commands to type next; each can be copied."""
    for number, command in enumerate(commands[:3]):
        say(("next: " if number == 0 else "      ") + command)


def _say(label: str, text: str, colour: str) -> None:
    label = click.style(label, fg=colour, bold=True) if has_colour() else label
    _print(f"{label} {clean(without_logins(text))}")


def _print(text: str) -> None:
    # Not click.echo, which has a stream of its own: messages appear above a live table.
    print(text, file=sys.stderr, flush=True)
