"""Training runs: create, list, read, merge, archive; and their checkpoints."""

from typing import Any

from sqlalchemy import Connection, select

from trialflow import api_types as api
from trialflow.launcher.reports import replacing
from trialflow.service import assignments, serializers, validation
from trialflow.service.errors import BadRequest, NotFound
from trialflow.service.paging import Paging
from trialflow.service.requests import Call
from trialflow.service.routes import filters
from trialflow.service.routes.projects import check_client
from trialflow.service.run_scope import reported
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import projects as project_store
from trialflow.service.store import runs as run_store
from trialflow.service.store import workers as worker_store
from trialflow.service.store.pages import id_page
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import checkpoints, training_runs
from trialflow.service.transport import Answer

LARGEST_BATCH = 10_000
PROJECT = "/clients/{client}/projects/{project}/training_runs"
UNTRIED_ONLY = "x-trialflow-untried-only"
"""The header with which trialflow's own flows ask: they are refused once every point was tried, where others are given points again."""


async def create(call: Call) -> Answer:
    """POST .../training_runs: one that belongs to no experiment, unless it names a suggestion that it executes, as clients before 8 do."""
    check_client(call)
    body = validation.training_run(call.body, is_new=True)

    def write(connection: Connection) -> Row:
        project = project_store.get(connection, call.path["project"])
        return run_store.create_plain(connection, project["id"], body)

    row = await call.do(write)
    if row["experiment"] is not None:
        call.service.suggester.prepare(row["experiment"])
    return serializers.training_run(row)


async def create_batch(call: Call) -> Answer:
    """POST .../training_runs/batch: up to 10,000, in order."""
    check_client(call)
    validation.known_keys(call.body, ("runs", "fields"))
    runs, fields = call.body.get("runs"), call.body.get("fields")
    if not isinstance(runs, list) or not all(isinstance(one, dict) for one in runs):
        raise BadRequest("Invalid type for .runs: expected an array of objects")
    if len(runs) > LARGEST_BATCH:
        raise BadRequest(f"{len(runs)} runs in a batch, at most {LARGEST_BATCH} are allowed")
    if fields is not None and not isinstance(fields, str):
        raise BadRequest(f"Invalid type for .fields: {validation.excerpt(fields)} - expected type string")
    bodies = [validation.training_run(one, is_new=True) for one in runs]
    if any(one.get("suggestion") is not None for one in bodies):
        raise BadRequest("A training run that executes a suggestion is created by itself, not in a batch")

    def write(connection: Connection) -> list[Row]:
        project = project_store.get(connection, call.path["project"])
        return [run_store.create_plain(connection, project["id"], body) for body in bodies]

    shown: list[Any] = [serializers.training_run(row) for row in await call.do(write)]
    if fields:
        shown = [{key: one[key] for key in fields.split(",") if key in one} for one in shown]
    return serializers.pagination(shown, count=len(shown))


async def list_(call: Call) -> Answer:
    """GET .../training_runs with filters, sort and pages."""
    check_client(call)
    wanted = filters.parse(call.query.get("filters"))
    sort = call.query.get("sort", "id")
    filters.kind_of(sort)
    paging = Paging.of(call.query)
    search = call.query.get("search", "")

    def read(connection: Connection) -> api.Page[api.TrainingRun]:
        project = project_store.get(connection, call.path["project"])["id"]
        return _read_page(connection, project, wanted, sort, paging, search)

    page = await call.do(read)
    return {**page, "defined_fields": []}


def _read_page(
    connection: Connection, project: str, wanted: list[filters.Filter], sort: str, paging: Paging, search: str
) -> api.Page[api.TrainingRun]:
    condition = training_runs.c.project == project
    if search:
        condition &= training_runs.c.name.contains(search, autoescape=True)
    rest = []
    for field, operator, value in wanted:
        if operator == "==" and field in filters.INDEXED and value is not None:
            condition &= training_runs.c[field] == value
        else:
            rest.append((field, operator, value))
    if not rest and sort == "id":
        rows, markers = id_page(connection, training_runs, condition, paging)
        return serializers.pagination(map(serializers.training_run, rows), count=run_store.count(connection, condition), **markers)
    # What the database has no column for is looked at row by row.
    query = select(training_runs).where(condition).order_by(training_runs.c.id)
    shown = [serializers.training_run(dict(row)) for row in connection.execute(query).mappings()]
    found = [one for one in shown if filters.matches(one, rest)]
    if sort == "id":
        page, markers = paging.cut(found, place=lambda one: int(one["id"]))
    else:
        page, markers = paging.cut(sorted(found, key=filters.ascending_key(sort, missing_last=paging.ascending)))
    return serializers.pagination(page, count=len(found), **markers)


async def get(call: Call) -> Answer:
    """GET /training_runs/{id}."""
    return serializers.training_run(await call.do(lambda connection: run_store.get(connection, call.path["id"])))


async def merge(call: Call) -> Answer:
    """MERGE /training_runs/{id}."""
    return await _change(call, replace=False)


async def put(call: Call) -> Answer:
    """PUT /training_runs/{id}: maps are replaced."""
    return await _change(call, replace=True)


async def _change(call: Call, *, replace: bool) -> Answer:
    body = validation.training_run(call.body, is_new=False)
    if call.model is not None:
        body = reported("merge", body)

    def write(connection: Connection) -> Row:
        if call.model is not None and replace:  # what is trialflow's own stays
            return run_store.merge(connection, call.path["id"], replacing(run_store.get(connection, call.path["id"])["data"], body))
        return run_store.merge(connection, call.path["id"], body, replace=replace)

    row = await call.do(write)
    if body.get("state") is not None and row["observation"] is not None:
        call.service.suggester.prepare(row["experiment"])
    return serializers.training_run(row)


async def delete(call: Call) -> Answer:
    """DELETE /training_runs/{id}: hidden, with its suggestion and observation."""

    def write(connection: Connection) -> Row:
        return run_store.set_deleted(connection, run_store.get(connection, call.path["id"]), True)

    return serializers.training_run(await call.do(write))


async def create_of_experiment(call: Call) -> Answer:
    """POST /aiexperiments/{id}/training_runs: a training run with suggested assignments, or with all of them given."""
    body = validation.training_run(call.body, is_new=True)
    suggester = call.service.suggester
    experiment = await call.do(lambda connection: experiment_store.get(connection, call.path["id"], kind="ai"))
    experiment_store.check_active(experiment)
    if body.get("suggestion") is not None:
        raise BadRequest("The training runs of an AI experiment are given their suggestions")
    given = {name: value for name, value in (body.get("assignments") or {}).items() if value is not None}
    is_over = (body.get("state") or "active") != "active"
    async with suggester.lock(experiment["id"]):
        if call.worker is not None:
            await call.do(lambda connection: worker_store.check_budget(connection, experiment["id"]))
        suggestion = None  # as SigOpt: with only some given it is executed as it is and teaches nothing, nor does one that ended without any
        if assignments.names_of(experiment["body"]) & set(given):
            point = assignments.explicit(experiment["body"], given)
            suggestion = None if point is None else {"assignments": point, "method": "explicit"}
        elif not is_over:
            suggestion = await suggester.suggest(experiment, untried_only=call.request.headers.get(UNTRIED_ONLY) == "true")

        def write(connection: Connection) -> Row:
            worker = int(call.worker[0]) if call.worker is not None else None
            return run_store.create(connection, project=experiment["project"], experiment=experiment, body=body, suggestion=suggestion, worker=worker)

        row = await call.do(write)
    if suggestion is not None:
        suggester.prepare(experiment["id"])
    return serializers.training_run(row)


async def create_checkpoint(call: Call) -> Answer:
    """POST /training_runs/{id}/checkpoints."""
    validation.known_keys(call.body, ("values", "metadata", "object"))
    values = validation.evaluations(call.body.get("values"), ())
    metadata = validation.metadata(call.body.get("metadata"))
    if len(metadata or {}) > 5:
        raise BadRequest("A checkpoint has at most 5 metadata")
    if call.model is not None:
        reported("checkpoint", {"values": values, "metadata": metadata})
    row = await call.do(lambda connection: run_store.add_checkpoint(connection, call.path["id"], values, metadata))
    return serializers.checkpoint(row)


async def list_checkpoints(call: Call) -> Answer:
    """GET /training_runs/{id}/checkpoints."""
    paging = Paging.of(call.query)

    def read(connection: Connection) -> api.Page[api.Checkpoint]:
        run = run_store.get(connection, call.path["id"])
        rows, markers = id_page(connection, checkpoints, checkpoints.c.training_run == run["id"], paging)
        return serializers.pagination(map(serializers.checkpoint, rows), count=run["checkpoint_count"], **markers)

    return await call.do(read)


async def get_checkpoint(call: Call) -> Answer:
    """GET /training_runs/{id}/checkpoints/{checkpoint}."""

    def read(connection: Connection) -> Row:
        row = find(connection, checkpoints, call.path["checkpoint"])
        if row["training_run"] != run_store.get(connection, call.path["id"])["id"]:
            raise NotFound("checkpoint", call.path["checkpoint"])
        return row

    return serializers.checkpoint(await call.do(read))


HOT_ROUTES = [
    ("MERGE", "/training_runs/{id}", merge),
    ("GET", "/training_runs/{id}", get),
    ("POST", "/aiexperiments/{id}/training_runs", create_of_experiment),
    ("POST", "/training_runs/{id}/checkpoints", create_checkpoint),
]
ROUTES = [
    ("POST", PROJECT, create),
    ("POST", PROJECT + "/batch", create_batch),
    ("GET", PROJECT, list_),
    ("PUT", "/training_runs/{id}", put),
    ("DELETE", "/training_runs/{id}", delete),
    ("GET", "/training_runs/{id}/checkpoints", list_checkpoints),
    ("GET", "/training_runs/{id}/checkpoints/{checkpoint}", get_checkpoint),
]
