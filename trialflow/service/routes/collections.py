"""What belongs to an experiment: suggestions, queued suggestions and observations are listed, read and deleted in the same way."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from trialflow.service import serializers, validation
from trialflow.service.errors import Forbidden, NotFound
from trialflow.service.paging import Paging
from trialflow.service.requests import Call, is_set
from trialflow.service.store import experiments as store
from trialflow.service.store.pages import id_page
from trialflow.service.store.rows import KINDS, Row, find
from trialflow.service.transport import Answer, Endpoint

Condition = Callable[[Call], Any]
SortKey = Callable[[Row, str], Callable[[Row], Any]]
"""The experiment and the name of an order to a key; raises `BadRequest` for an unknown order."""


def core_experiment(connection: Connection, call: Call) -> Row:
    """The experiment of the path, whose suggestions or observations are to be changed. Raises `Forbidden` for an AI experiment."""
    row = store.get(connection, call.path["experiment"])
    if row["kind"] == "ai":
        raise Forbidden("Suggestions and observations of an AI experiment are made by its training runs")
    return row


def mine(connection: Connection, call: Call, table: Table, experiment: Row) -> Row:
    """The row of the path, which has to be of the experiment of the path. Raises `NotFound`."""
    row = find(connection, table, call.path["id"])
    if row["experiment"] != experiment["id"]:
        raise NotFound(KINDS[table.name], call.path["id"])
    return row


def collection(
    path: str,
    table: Table,
    shape: Callable[[Row], Mapping[str, Any]],
    *,
    narrowed: Condition | None = None,
    sort_key: SortKey | None = None,
    only_core: bool = True,
) -> list[tuple[str, str, Endpoint]]:
    """Routes that list, read and delete the rows of `table` below `path`.

    `narrowed` gives a further condition on those listed, or deleted together, from the query; `sort_key` what they can be sorted by beside their ids.
    With `only_core` those of AI experiments are read-only. Rows of a table that has a column for it are hidden, not deleted.
    """

    def changeable(connection: Connection, call: Call) -> Row:
        return core_experiment(connection, call) if only_core else store.get(connection, call.path["experiment"])

    def wanted(experiment: Row, call: Call) -> Any:
        condition = table.c.experiment == experiment["id"]
        more = narrowed(call) if narrowed else None
        return condition if more is None else condition & more

    async def list_of(call: Call) -> Answer:
        paging, sort = Paging.of(call.query), call.query.get("sort", "id")
        if sort_key is None:
            validation.one_of(sort, ("id",))
        show_deleted = is_set(call, "deleted")

        def read(connection: Connection) -> dict[str, Any]:
            experiment = store.get(connection, call.path["experiment"])
            key = sort_key(experiment, sort) if sort_key is not None and sort != "id" else None
            condition = wanted(experiment, call)
            if "deleted" in table.c and not show_deleted:
                condition &= table.c.deleted.is_(False)
            count = connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
            if key is None:
                rows, markers = id_page(connection, table, condition, paging)
            else:
                every = [dict(row) for row in connection.execute(select(table).where(condition)).mappings()]
                rows, markers = paging.cut(sorted(every, key=lambda row: _sortable(key(row), row["id"], missing_last=paging.ascending)))
            return {**serializers.pagination([shape(row) for row in rows], count=count, **markers)}

        return await call.do(read)

    async def get_one(call: Call) -> Answer:
        return shape(await call.do(lambda connection: mine(connection, call, table, store.get(connection, call.path["experiment"]))))

    def remove(connection: Connection, experiment: Row, condition: Any) -> None:
        if "deleted" in table.c:
            connection.execute(update(table).where(condition).values(deleted=True))
        else:
            connection.execute(table.delete().where(condition))
        store.touch_history(connection, experiment["id"])

    async def delete_one(call: Call) -> Answer:
        def write(connection: Connection) -> None:
            experiment = changeable(connection, call)
            remove(connection, experiment, table.c.id == mine(connection, call, table, experiment)["id"])

        await call.do(write)
        return {}

    async def delete_all(call: Call) -> Answer:
        def write(connection: Connection) -> None:
            experiment = changeable(connection, call)
            remove(connection, experiment, wanted(experiment, call))

        await call.do(write)
        return {}

    one = path + "/{id}"
    return [("GET", path, list_of), ("GET", one, get_one), ("DELETE", one, delete_one), ("DELETE", path, delete_all)]


def _sortable(value: Any, identifier: int, *, missing_last: bool) -> tuple[Any, ...]:
    """A key for ascending order: equal values follow the id, what is missing is at one end."""
    return ((value is None) == missing_last, () if value is None else (value,), identifier)
