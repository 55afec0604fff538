"""The question before something is deleted."""

import sys

import click

from trialflow.errors import InvalidInput


def go_ahead(question: str, *, yes: bool, again: str) -> bool:
    """Whether the user agrees. Raises `InvalidInput` with `again`, the command that does it, where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInput("nothing was done: this deletes things, and there is no terminal to ask at", hint=f"`{again}` does it without asking")
    return click.confirm(question, default=False, err=True)
