"""Projects in the store: create, find, list, update, and how much they hold."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.service.errors import ApiError, BadRequest, NotFound
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import experiments, projects, training_runs

DEFAULT = "default"


def ensure_default_project(connection: Connection) -> None:
    """Create the default project unless it exists."""
    if connection.execute(select(projects.c.id).where(projects.c.id == DEFAULT)).first() is None:
        create(connection, DEFAULT, "Default project", None)


def create(connection: Connection, identifier: str, name: str, metadata: Mapping[str, Any] | None) -> Row:
    """A new project. Raises a 409 if there is one with that id."""
    if connection.execute(select(projects.c.id).where(projects.c.id == identifier)).first() is not None:
        raise ApiError(409, f"There is already a project with the id {identifier}")
    moment = now()
    row = {"id": identifier, "name": name, "created": moment, "updated": moment, "metadata": metadata}
    add(connection, projects, row)
    return row


def get(connection: Connection, identifier: str) -> Row:
    """One project. Raises `NotFound`."""
    return find(connection, projects, identifier)


def named(connection: Connection, identifier: Any) -> str:
    """The id of a project that a request's body names. Raises `BadRequest` if there is none."""
    try:
        if not isinstance(identifier, str):
            raise NotFound("project", identifier)
        return get(connection, identifier)["id"]
    except NotFound as missing:
        raise BadRequest(missing.message) from None


def all_of(connection: Connection) -> list[Row]:
    """All projects, newest first."""
    return [dict(row) for row in connection.execute(select(projects).order_by(projects.c.created.desc(), projects.c.id)).mappings()]


def counts(connection: Connection, identifier: str) -> dict[str, int]:
    """How many experiments and training runs a project holds."""
    count = select(func.count())
    return {
        "experiment_count": connection.execute(count.where(experiments.c.project == identifier)).scalar_one(),
        "training_run_count": connection.execute(count.where(training_runs.c.project == identifier)).scalar_one(),
    }


def set_fields(connection: Connection, identifier: str, values: Mapping[str, Any]) -> Row:
    """Change a project."""
    row = get(connection, identifier)
    values = {**values, "updated": now()}
    change(connection, projects, row["id"], values)
    return {**row, **values}


def touch(connection: Connection, identifier: str | None) -> None:
    """Say that something in a project has changed."""
    if identifier is not None:
        connection.execute(update(projects).where(projects.c.id == identifier).values(updated=now()))


def first_created(connection: Connection) -> int:
    """When the first project was created: as old as the service's database."""
    return connection.execute(select(func.min(projects.c.created))).scalar_one()
