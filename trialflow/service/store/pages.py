"""Pages of rows by their ids, read by the database."""

from typing import Any

from sqlalchemy import Connection, Table, select

from trialflow.service.paging import Paging
from trialflow.service.store.rows import Row


def id_page(connection: Connection, table: Table, wanted: Any, paging: Paging) -> tuple[list[Row], dict[str, str | None]]:
    """The rows of `table` that satisfy `wanted`, as `paging` asks for them, and the markers of the neighbouring pages."""
    identifier = table.c.id
    if paging.after is not None:
        wanted = wanted & (identifier > paging.after)
    if paging.before is not None:
        wanted = wanted & (identifier < paging.before)
    query = select(table).where(wanted).order_by(identifier.asc() if paging.is_upwards else identifier.desc()).limit(paging.limit + 1)
    rows, more = paging.page([dict(row) for row in connection.execute(query).mappings()])
    return rows, paging.markers([row["id"] for row in rows], more)
