"""Experiments in the store: create, find, list, update, archive, and their progress."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.service.errors import BadRequest, NotFound
from trialflow.service.paging import Paging
from trialflow.service.store import projects as project_store
from trialflow.service.store.pages import id_page
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


def set_body(connection: Connection, row: Row, body: Mapping[str, Any], *, state: str | None = None, project: Any = None) -> Row:
    """Replace an experiment's body; archive it or bring it back; move it, with its training runs, to another project."""
    values = {"body": dict(body), "name": body["name"], "state": state or row["state"], "updated": now(), "history": row["history"] + 1}
    if project is not None and project != row["project"]:
        values["project"] = project_store.named(connection, project)
        connection.execute(update(training_runs).where(training_runs.c.experiment == row["id"]).values(project=values["project"]))
        project_store.touch(connection, values["project"])
    change(connection, experiments, row["id"], values)
    project_store.touch(connection, row["project"])
    return {**row, **values}


def check_active(row: Row) -> None:
    """Raise `BadRequest` for an archived experiment."""
    if row["state"] != "active":
        raise BadRequest(f"Experiment {row['id']} is archived; unarchive it first")


def touch(connection: Connection, identifier: int) -> None:
    """Say that an experiment, and with it its project, has changed."""
    connection.execute(update(experiments).where(experiments.c.id == identifier).values(updated=now()))
    project_store.touch(connection, connection.execute(select(experiments.c.project).where(experiments.c.id == identifier)).scalar_one())


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
    """Say that an earlier observation has changed, so that all of them are read again."""
    connection.execute(update(experiments).where(experiments.c.id == identifier).values(history=experiments.c.history + 1))
    touch(connection, identifier)


def listed(connection: Connection, *, kinds: Sequence[str], project: str | None, state: str, search: str | None) -> tuple[Any, int]:
    """The condition that the experiments of a list satisfy, and how many do."""
    wanted = experiments.c.kind.in_(kinds)
    if project is not None:
        wanted &= experiments.c.project == project
    if state != "all":
        wanted &= experiments.c.state == state
    if search:
        wanted &= experiments.c.name.icontains(search, autoescape=True)
    return wanted, connection.execute(select(func.count()).select_from(experiments).where(wanted)).scalar_one()


def by_id(connection: Connection, wanted: Any, paging: Paging) -> tuple[list[Row], dict[str, str | None]]:
    """A page of experiments by their ids."""
    return id_page(connection, experiments, wanted, paging)


def by_update(connection: Connection, wanted: Any, paging: Paging) -> tuple[list[Row], dict[str, str | None]]:
    """A page of experiments by the time of their last update; equal times follow the id. Markers are ranks."""
    order = select(experiments.c.id).where(wanted).order_by(experiments.c.updated, experiments.c.id)
    page, markers = paging.cut(connection.execute(order).scalars().all())
    rows = connection.execute(select(experiments).where(experiments.c.id.in_(page))).mappings()
    found = {row["id"]: dict(row) for row in rows}
    return [found[identifier] for identifier in page], markers
