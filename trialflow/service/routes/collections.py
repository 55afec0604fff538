"""What belongs to an experiment: suggestions, queued suggestions and observations are listed, read and deleted in the same way."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from trialflow.service import serializers
from trialflow.service.errors import Forbidden, NotFound
from trialflow.service.routes.paging import Paging
from trialflow.service.store import experiments as store
from trialflow.service.store.experiments import id_page
from trialflow.service.store.rows import KINDS, Row, find
from trialflow.service.transport import Answer, Call

Condition = Callable[[Call], Any]


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


def collection(path: str, table: Table, shape: Callable[[Row], dict], *, narrowed: Condition | None = None, only_core: bool = True) -> list[tuple]:
    """Routes that list, read and delete the rows of `table` below `path`.

    `narrowed` gives a further condition on those listed, or deleted together, from the query. With `only_core` those of AI experiments are only
    read. Rows of a table that has a column for it are hidden, not deleted.
    """

    def changeable(connection: Connection, call: Call) -> Row:
        return core_experiment(connection, call) if only_core else store.get(connection, call.path["experiment"])

    def wanted(experiment: Row, call: Call) -> Any:
        condition = table.c.experiment == experiment["id"]
        more = narrowed(call) if narrowed else None
        return condition if more is None else condition & more

    async def list_of(call: Call) -> Answer:
        paging = Paging.of(call.query)

        def read(connection: Connection) -> dict:
            condition = wanted(store.get(connection, call.path["experiment"]), call)
            if "deleted" in table.c:
                condition &= table.c.deleted.is_(False)
            marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
            rows, more = id_page(connection, table, condition, **marks)
            count = connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
            return serializers.pagination([shape(row) for row in rows], count=count, **paging.markers(rows, more))

        return await call.service.store.do(read)

    async def get_one(call: Call) -> Answer:
        return shape(await call.service.store.do(lambda connection: mine(connection, call, table, store.get(connection, call.path["experiment"]))))

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

        await call.service.store.do(write)
        return {}

    async def delete_all(call: Call) -> Answer:
        def write(connection: Connection) -> None:
            experiment = changeable(connection, call)
            remove(connection, experiment, wanted(experiment, call))

        await call.service.store.do(write)
        return {}

    one = path + "/{id}"
    return [("GET", path, list_of), ("GET", one, get_one), ("DELETE", one, delete_one), ("DELETE", path, delete_all)]
