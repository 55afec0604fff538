"""Tokens, clients, organizations and projects."""

import hmac

from sqlalchemy import Connection, func, select

from trialflow.service import serializers, validation
from trialflow.service.errors import ApiError, BadRequest, NotFound
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import experiments, projects, training_runs
from trialflow.service.transport import Answer, Call

DEFAULT = "default"
LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def make_default_project(connection: Connection) -> None:
    """Make the project that is there from the beginning, unless it is."""
    if connection.execute(select(projects.c.id).where(projects.c.id == DEFAULT)).first() is None:
        create(connection, DEFAULT, "Default project", None)


def create(connection: Connection, identifier: str, name: str, metadata: dict | None) -> Row:
    """A new project. Raises a 409 if there is one of that id."""
    if connection.execute(select(projects.c.id).where(projects.c.id == identifier)).first() is not None:
        raise ApiError(409, f"There is a project with the id {identifier} already")
    row = {"id": identifier, "name": name, "created": now(), "updated": now(), "metadata": metadata}
    add(connection, projects, row)
    return row


def check_client(call: Call) -> None:
    """Refuse any client but the one there is."""
    if call.path.get("client", serializers.CLIENT) != serializers.CLIENT:
        raise NotFound("client", call.path["client"])


async def get_token(call: Call) -> Answer:
    """GET /tokens/self."""
    return serializers.token(call.service.token)


async def get_known_token(call: Call) -> Answer:
    """GET /tokens/{token}: the same, for who names the token."""
    if not hmac.compare_digest(call.path["token"].encode(), call.service.token.encode()):
        raise ApiError(404, "There is no such token")
    return serializers.token(call.service.token)


async def get_client(call: Call) -> Answer:
    """GET /clients/{client}."""
    check_client(call)
    return serializers.client()


async def list_organizations(call: Call) -> Answer:
    """GET /organizations."""
    return serializers.pagination([serializers.organization()], count=1)


async def get_organization(call: Call) -> Answer:
    """GET /organizations/{id}."""
    if call.path["id"] != serializers.ORGANIZATION:
        raise NotFound("organization", call.path["id"])
    return serializers.organization()


async def list_projects(call: Call) -> Answer:
    """GET /clients/{client}/projects."""
    check_client(call)
    rows = await call.service.store.do(lambda connection: [dict(row) for row in connection.execute(select(projects)).mappings()])
    rows.sort(key=lambda row: (-row["created"], row["id"]))
    return serializers.pagination([serializers.project(row) for row in rows], count=len(rows))


async def create_project(call: Call) -> Answer:
    """POST /clients/{client}/projects."""
    check_client(call)
    validation.known_keys(call.body, ("id", "name", "metadata", "object"))
    for key in ("id", "name"):
        if key not in call.body:
            raise BadRequest(f'Missing required json key "{key}" in: {validation.excerpt(call.body)}')
    identifier = validation.name(call.body["id"], ".id", 32)
    if not set(identifier) <= LETTERS:
        raise BadRequest(f"Invalid project id {identifier!r}: only lower-case letters, digits, `-`, `_` and `.` are allowed")
    name = validation.name(call.body["name"], ".name")
    metadata = validation.metadata(call.body["metadata"]) if call.body.get("metadata") is not None else None
    return serializers.project(await call.service.store.do(lambda connection: create(connection, identifier, name, metadata)))


async def get_project(call: Call) -> Answer:
    """GET /clients/{client}/projects/{project}, with counts."""
    check_client(call)

    def read(connection: Connection) -> dict:
        row = find(connection, projects, call.path["project"])
        count = select(func.count())
        held = {
            "experiment_count": connection.execute(count.where(experiments.c.project == row["id"])).scalar_one(),
            "training_run_count": connection.execute(count.where(training_runs.c.project == row["id"])).scalar_one(),
        }
        return {**serializers.project(row), **held}

    return await call.service.store.do(read)


async def update_project(call: Call) -> Answer:
    """PUT /clients/{client}/projects/{project}."""
    check_client(call)
    validation.known_keys(call.body, ("id", "name", "metadata", "deleted", "object"))
    values: dict = {"updated": now()}
    if "name" in call.body:
        values["name"] = validation.name(call.body["name"], ".name")
    if "metadata" in call.body:
        values["metadata"] = None if call.body["metadata"] is None else validation.metadata(call.body["metadata"])

    def write(connection: Connection) -> Row:
        row = find(connection, projects, call.path["project"])
        change(connection, projects, row["id"], values)
        return {**row, **values}

    return serializers.project(await call.service.store.do(write))


ROUTES = [
    ("GET", "/tokens/self", get_token),
    ("GET", "/tokens/{token}", get_known_token),
    ("GET", "/clients/{client}", get_client),
    ("GET", "/organizations", list_organizations),
    ("GET", "/organizations/{id}", get_organization),
    ("GET", "/clients/{client}/projects", list_projects),
    ("POST", "/clients/{client}/projects", create_project),
    ("GET", "/clients/{client}/projects/{project}", get_project),
    ("PUT", "/clients/{client}/projects/{project}", update_project),
]
