"""Small steps that all tables share: find one row or refuse, insert and get the id."""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from trialflow.service.errors import NotFound

Row = dict[str, Any]
KINDS = {
    "training_runs": "training run",
    "experiments": "experiment",
    "suggestions": "suggestion",
    "observations": "observation",
    "queued_suggestions": "queued suggestion",
    "checkpoints": "checkpoint",
    "files": "file",
    "projects": "project",
    "workers": "worker",
}


def now() -> int:
    """This moment in epoch seconds."""
    return int(time.time())


def number(identifier: str, kind: str) -> int:
    """An id from a path. Raises `NotFound` for what cannot be one."""
    if not identifier.isascii() or not identifier.isdigit() or len(identifier) > 18:
        raise NotFound(kind, identifier)
    return int(identifier)


def find(connection: Connection, table: Table, identifier: str | int) -> Row:
    """The row with this id. Raises `NotFound`."""
    kind = KINDS[table.name]
    key = identifier if table.name == "projects" else number(str(identifier), kind)
    row = connection.execute(select(table).where(table.c.id == key)).mappings().first()
    if row is None:
        raise NotFound(kind, identifier)
    return dict(row)


def add(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a row and return its id."""
    result = connection.execute(insert(table).values(**values))
    assert result.inserted_primary_key is not None
    return result.inserted_primary_key[0]


def change(connection: Connection, table: Table, identifier: int | str, values: Mapping[str, Any]) -> None:
    """Update the row with this id."""
    connection.execute(update(table).where(table.c.id == identifier).values(**values))
