"""A group of commands that are imported when they are called, so that help is fast, and that suggests the right name for a mistyped one."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

Table = Mapping[str, tuple[str, str]]
"""A command's name -> where it is (`module:attribute`), and one line about it."""


class Commands(click.Group):
    """A group over a table of commands, in the order of use."""

    def __init__(self, *arguments: Any, table: Table, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of use."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, None if there is none of that name."""
        if cmd_name not in self.table:
            return None
        module, attribute = self.table[cmd_name][0].split(":")
        return getattr(import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a mistyped name."""
        name, path = args[0], ctx.command_path
        if name not in self.table:
            close = difflib.get_close_matches(name, self.table, 1)
            more = f"; did you mean `{path} {close[0]}`?" if close else f"; `{path} --help` lists them"
            raise click.UsageError(f"there is no command {name!r}{more}")
        return super().resolve_command(ctx, args)
