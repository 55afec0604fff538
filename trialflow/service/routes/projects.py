"""Tokens, clients, organizations and projects."""

from typing import Any

from sqlalchemy import Connection

from trialflow.service import serializers, validation
from trialflow.service.errors import ApiError, BadRequest, NotFound
from trialflow.service.requests import Call
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import projects as store
from trialflow.service.store import runs as run_store
from trialflow.service.transport import Answer

LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def check_client(call: Call) -> None:
    """Refuse any client but the only one."""
    if call.path.get("client", serializers.CLIENT) != serializers.CLIENT:
        raise NotFound("client", call.path["client"])


async def get_token(call: Call) -> Answer:
    """GET /tokens/self."""
    if (model := call.model) is not None:
        row = await call.do(lambda connection: run_store.get(connection, model.training_run))
        return serializers.token(str(model), experiment=row["experiment"], training_run=row["id"])
    return _token(call, call.guest)


async def get_known_token(call: Call) -> Answer:
    """GET /tokens/{token}: any token that this service knows."""
    try:
        guest = call.service.tokens.experiment_of(call.path["token"])
    except ApiError:
        raise ApiError(404, "There is no such token") from None
    if call.guest is not None and guest != call.guest:
        raise ApiError(403, "A guest token can only read itself")
    return _token(call, guest)


async def create_guest_token(call: Call) -> Answer:
    """POST /experiments/{experiment}/tokens: a token that can read this experiment and nothing else."""
    row = await call.do(lambda connection: experiment_store.get(connection, call.path["experiment"]))
    return _token(call, row["id"])


def _token(call: Call, guest: int | None) -> dict[str, Any]:
    tokens = call.service.tokens
    return serializers.token(tokens.token if guest is None else tokens.guest(guest), experiment=guest)


async def get_client(call: Call) -> Answer:
    """GET /clients/{client}."""
    check_client(call)
    return serializers.client(await call.do(store.first_created))


async def list_organizations(call: Call) -> Answer:
    """GET /organizations."""
    return serializers.pagination([serializers.organization()], count=1)


async def get_organization(call: Call) -> Answer:
    """GET /organizations/{id}."""
    if call.path["id"] != serializers.ORGANIZATION:
        raise NotFound("organization", call.path["id"])
    return serializers.organization()


async def list_(call: Call) -> Answer:
    """GET /clients/{client}/projects."""
    check_client(call)
    rows = await call.do(store.all_of)
    return serializers.pagination([serializers.project(row) for row in rows], count=len(rows))


async def create(call: Call) -> Answer:
    """POST /clients/{client}/projects."""
    check_client(call)
    validation.known_keys(call.body, ("id", "name", "metadata", "object"))
    for key in ("id", "name"):
        if key not in call.body:
            raise BadRequest(f'Missing required json key "{key}" in: {validation.excerpt(call.body)}')
    identifier = validation.name(call.body["id"], ".id", 32)
    if not set(identifier) <= LETTERS:
        raise BadRequest(f"Invalid project id {identifier!r}: only lower-case letters, digits, `-`, `_` and `.` are allowed")
    name, metadata = validation.name(call.body["name"], ".name"), validation.metadata(call.body.get("metadata"))
    return serializers.project(await call.do(lambda connection: store.create(connection, identifier, name, metadata)))


async def get(call: Call) -> Answer:
    """GET /clients/{client}/projects/{project}, with counts."""
    check_client(call)

    def read(connection: Connection) -> dict[str, Any]:
        row = store.get(connection, call.path["project"])
        return {**serializers.project(row), **store.counts(connection, row["id"])}

    return await call.do(read)


async def put(call: Call) -> Answer:
    """PUT /clients/{client}/projects/{project}."""
    check_client(call)
    validation.known_keys(call.body, ("id", "name", "metadata", "deleted", "object"))
    values: dict[str, Any] = {}
    if "name" in call.body:
        values["name"] = validation.name(call.body["name"], ".name")
    if "metadata" in call.body:
        values["metadata"] = validation.metadata(call.body["metadata"])
    return serializers.project(await call.do(lambda connection: store.set_fields(connection, call.path["project"], values)))


ROUTES = [
    ("GET", "/tokens/self", get_token),
    ("GET", "/tokens/{token}", get_known_token),
    ("POST", "/experiments/{experiment}/tokens", create_guest_token),
    ("POST", "/aiexperiments/{experiment}/tokens", create_guest_token),
    ("GET", "/clients/{client}", get_client),
    ("GET", "/organizations", list_organizations),
    ("GET", "/organizations/{id}", get_organization),
    ("GET", "/clients/{client}/projects", list_),
    ("POST", "/clients/{client}/projects", create),
    ("GET", "/clients/{client}/projects/{project}", get),
    ("PUT", "/clients/{client}/projects/{project}", put),
]
