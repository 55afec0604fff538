"""Experiments in the store: create, find, list, update, archive, and their progress."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.service.errors import NotFound
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import experiments, observations, suggestions, training_runs


def create(connection: Connection, *, kind: str, project: str | None, body: Mapping[str, Any]) -> Row:
    """A new experiment from a validated body."""
    moment = now()
    values = {"project": project, "kind": kind, "name": body["name"], "body": dict(body), "state": "active", "created": moment, "updated": moment}
    return {"id": add(connection, experiments, {**values, "history": 0}), **values, "history": 0}


def get(connection: Connection, identifier: str | int, *, kind: str | None = None) -> Row:
    """One experiment of a kind (`ai`, `core`) or of any."""
    row = find(connection, experiments, identifier)
    if kind is not None and row["kind"] != kind:
        raise NotFound("experiment", identifier)
    return row


def set_body(connection: Connection, row: Row, body: Mapping[str, Any], *, state: str | None = None) -> Row:
    """Replace what an experiment says, and archive it or bring it back."""
    values = {"body": dict(body), "name": body["name"], "state": state or row["state"], "updated": now(), "history": row["history"] + 1}
    change(connection, experiments, row["id"], values)
    return {**row, **values}


def archive(connection: Connection, identifier: str, *, include_runs: bool) -> None:
    """Hide an experiment; its training runs as well if asked, with their suggestions and observations."""
    row = get(connection, identifier)
    change(connection, experiments, row["id"], {"state": "deleted", "updated": now()})
    if not include_runs:
        return
    connection.execute(update(training_runs).where(training_runs.c.experiment == row["id"]).values(deleted=True))
    for table in (suggestions, observations):
        of_runs = (table.c.experiment == row["id"]) & table.c.training_run.is_not(None)
        connection.execute(update(table).where(of_runs).values(deleted=True))
    touch_history(connection, row["id"])


def touch_history(connection: Connection, identifier: int) -> None:
    """Say that something observed before has changed, so that what was read of it is read again."""
    connection.execute(update(experiments).where(experiments.c.id == identifier).values(history=experiments.c.history + 1))


def progress(connection: Connection, row: Row) -> dict[str, Any]:
    """How far an experiment is: counts of training runs (AI) or of observations (core)."""
    budget = row["body"].get("budget")
    if row["kind"] == "core":
        return _core_progress(connection, row, budget)
    runs = training_runs.c
    of_it = (runs.experiment == row["id"]) & runs.deleted.is_(False)
    total, finished = connection.execute(select(func.count(), func.count(runs.completed)).where(of_it)).one()
    return {
        "object": "progress",
        "total_run_count": total,
        "finished_run_count": finished,
        "active_run_count": total - finished,
        "remaining_budget": None if budget is None else budget - total,
    }


def _core_progress(connection: Connection, row: Row, budget: float | None) -> dict[str, Any]:
    of_it = (observations.c.experiment == row["id"]) & observations.c.deleted.is_(False)
    count, first, last = connection.execute(select(func.count(), func.min(observations.c.id), func.max(observations.c.id)).where(of_it)).one()
    consumed = float(count)
    if row["body"].get("tasks"):
        consumed = float(sum((task or {}).get("cost", 1.0) for task in connection.execute(select(observations.c.task).where(of_it)).scalars()))
    return {
        "object": "progress",
        "observation_count": count,
        "observation_budget": budget,
        "observation_budget_consumed": consumed,
        "first": first,
        "last": last,
    }


def listed(connection: Connection, *, kinds: Sequence[str], project: str | None, state: str, search: str | None) -> tuple[Any, int]:
    """The condition that experiments of a list satisfy, and how many do."""
    wanted = experiments.c.kind.in_(kinds)
    if project is not None:
        wanted &= experiments.c.project == project
    if state != "all":
        wanted &= experiments.c.state == state
    if search:
        wanted &= experiments.c.name.icontains(search, autoescape=True)
    return wanted, connection.execute(select(func.count()).select_from(experiments).where(wanted)).scalar_one()


def recent_page(connection: Connection, wanted: Any, *, limit: int, start: int, ascending: bool) -> tuple[list[Row], bool]:
    """Experiments by the time of their last update, newest first unless `ascending`, from a place in that order; and whether more follow."""
    columns = (experiments.c.updated, experiments.c.id)
    order = [column.asc() if ascending else column.desc() for column in columns]
    query = select(experiments).where(wanted).order_by(*order).offset(start).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return rows[:limit], len(rows) > limit


def id_page(
    connection: Connection, table: Any, wanted: Any, *, limit: int, before: int | None, after: int | None, ascending: bool = False
) -> tuple[list[Row], bool]:
    """Rows of `table` in the order of their ids, newest first unless `ascending`. `before` and `after` are markers: ids, exclusive."""
    identifier = table.c.id
    going_back = after is not None
    up = ascending != going_back
    marker = after if going_back else before
    if marker is not None:
        wanted = wanted & (identifier > marker if up else identifier < marker)
    query = select(table).where(wanted).order_by(identifier.asc() if up else identifier.desc()).limit(limit + 1)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    more = len(rows) > limit
    rows = rows[:limit]
    return (rows[::-1] if going_back else rows), more
