"""Training runs: create, list, read, merge, archive; their checkpoints and files."""

import base64
from typing import Any

from sqlalchemy import Connection, select

from trialflow.service import assignments, serializers, validation
from trialflow.service.errors import BadRequest, NotFound
from trialflow.service.routes import filters
from trialflow.service.routes.paging import Paging
from trialflow.service.routes.projects import check_client
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import runs as run_store
from trialflow.service.store.experiments import id_page
from trialflow.service.store.rows import add, find, now
from trialflow.service.store.schema import checkpoints, files, projects, training_runs
from trialflow.service.transport import Answer, Call

LARGEST_BATCH = 10_000
PROJECT = "/clients/{client}/projects/{project}/training_runs"


async def create(call: Call) -> Answer:
    """POST .../training_runs: one that belongs to no experiment."""
    check_client(call)
    body = validation.training_run(call.body, is_new=True)

    def write(connection: Connection) -> dict:
        project = find(connection, projects, call.path["project"])
        return run_store.create(connection, project=project["id"], experiment=None, body=body, suggestion=None)

    return serializers.training_run(await call.service.store.do(write))


async def create_batch(call: Call) -> Answer:
    """POST .../training_runs/batch: up to 10,000, in order."""
    check_client(call)
    validation.known_keys(call.body, ("runs", "fields"))
    runs = call.body.get("runs")
    if not isinstance(runs, list) or not all(isinstance(one, dict) for one in runs):
        raise BadRequest("Invalid type for .runs: expected an array of objects")
    if len(runs) > LARGEST_BATCH:
        raise BadRequest(f"{len(runs)} runs in a batch, at most {LARGEST_BATCH} are allowed")
    bodies = [validation.training_run(one, is_new=True) for one in runs]

    def write(connection: Connection) -> list[dict]:
        project = find(connection, projects, call.path["project"])
        return [run_store.create(connection, project=project["id"], experiment=None, body=body, suggestion=None) for body in bodies]

    shown = [serializers.training_run(row) for row in await call.service.store.do(write)]
    if isinstance(fields := call.body.get("fields"), str):
        shown = [{key: one[key] for key in fields.split(",") if key in one} for one in shown]
    return serializers.pagination(shown, count=len(shown))


async def list_(call: Call) -> Answer:
    """GET .../training_runs with filters, sort and pages."""
    check_client(call)
    wanted = filters.parse(call.query.get("filters"))
    sort = call.query.get("sort", "id")
    filters.check_field(sort)
    paging = Paging.of(call.query)
    search = call.query.get("search")

    def read(connection: Connection) -> dict:
        find(connection, projects, call.path["project"])
        return _read_page(connection, call.path["project"], wanted, sort, paging, search)

    return await call.service.store.do(read)


def _read_page(connection: Connection, project: str, wanted: list, sort: str, paging: Paging, search: Any) -> dict:
    condition = training_runs.c.project == project
    if search:
        condition &= training_runs.c.name.contains(str(search), autoescape=True)
    rest = []
    for field, operator, value in wanted:
        if operator == "==" and field in INDEXED_FIELDS and value is not None:
            condition &= training_runs.c[field] == (validation.integer(value, f".filters.{field}") if field in ("id", "experiment") else value)
        else:
            rest.append((field, operator, value))
    if not rest and sort == "id":
        marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
        rows, more = id_page(connection, training_runs, condition, **marks)
        count = run_store.count(connection, condition)
        return serializers.pagination(_shown(rows), count=count, **paging.markers(rows, more), defined_fields=[])
    # What the database has no column for is looked at row by row; markers are then places in the sorted list.
    query = select(training_runs).where(condition).order_by(training_runs.c.id.desc())
    found = [one for one in _shown([dict(row) for row in connection.execute(query).mappings()]) if filters.matches(one, rest)]
    if sort != "id" or paging.ascending:
        known = [one for one in found if filters.value_of(one, sort) is not None]
        unknown = [one for one in found if filters.value_of(one, sort) is None]
        found = sorted(known, key=filters.sort_key(sort), reverse=not paging.ascending) + unknown
    start = paging.before or 0
    more = start + paging.limit < len(found)
    page = found[start : start + paging.limit]
    return serializers.pagination(page, count=len(found), before=str(start + paging.limit) if more else None, defined_fields=[])


INDEXED_FIELDS = filters.INDEXED


def _shown(rows: list) -> list[dict]:
    return [serializers.training_run(row) for row in rows]


async def get(call: Call) -> Answer:
    """GET /training_runs/{id}."""
    return serializers.training_run(await call.service.store.do(lambda connection: run_store.get(connection, call.path["id"])))


async def merge(call: Call) -> Answer:
    """MERGE /training_runs/{id}."""
    return await _change(call, replace=False)


async def put(call: Call) -> Answer:
    """PUT /training_runs/{id}: maps are replaced."""
    return await _change(call, replace=True)


async def _change(call: Call, *, replace: bool) -> Answer:
    body = validation.training_run(call.body, is_new=False)
    row = await call.service.store.do(lambda connection: run_store.merge(connection, call.path["id"], body, replace=replace))
    if body.get("state") is not None and row["observation"] is not None:
        call.service.advisor.prepare(row["experiment"])
    return serializers.training_run(row)


async def delete(call: Call) -> Answer:
    """DELETE /training_runs/{id}: hidden, with its suggestion and observation."""

    def write(connection: Connection) -> dict:
        return run_store.set_deleted(connection, run_store.get(connection, call.path["id"]), True)

    return serializers.training_run(await call.service.store.do(write))


async def create_checkpoint(call: Call) -> Answer:
    """POST /training_runs/{id}/checkpoints."""
    validation.known_keys(call.body, ("values", "metadata", "object"))
    values = validation.evaluations(call.body.get("values"), ())
    metadata = call.body.get("metadata")
    if metadata is not None and len(validation.metadata(metadata)) > 5:
        raise BadRequest("A checkpoint has at most 5 metadata")
    row = await call.service.store.do(lambda connection: run_store.add_checkpoint(connection, call.path["id"], values, metadata))
    return serializers.checkpoint(row)


async def list_checkpoints(call: Call) -> Answer:
    """GET /training_runs/{id}/checkpoints."""
    paging = Paging.of(call.query)

    def read(connection: Connection) -> dict:
        run = run_store.get(connection, call.path["id"])
        marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
        rows, more = id_page(connection, checkpoints, checkpoints.c.training_run == run["id"], **marks)
        return serializers.pagination(map(serializers.checkpoint, rows), count=run["checkpoint_count"], **paging.markers(rows, more))  # type: ignore[arg-type]

    return await call.service.store.do(read)


async def get_checkpoint(call: Call) -> Answer:
    """GET /training_runs/{id}/checkpoints/{checkpoint}."""

    def read(connection: Connection) -> dict:
        row = find(connection, checkpoints, call.path["checkpoint"])
        if row["training_run"] != run_store.get(connection, call.path["id"])["id"]:
            raise NotFound("checkpoint", call.path["checkpoint"])
        return row

    return serializers.checkpoint(await call.service.store.do(read))


async def create_file(call: Call) -> Answer:
    """POST /training_runs/{id}/files: announce a file, and be told where to upload it."""
    from trialflow.service.files import LARGEST_FILE

    validation.known_keys(call.body, ("content_length", "content_md5", "content_type", "name", "filename", "object"))
    length = validation.integer(call.body.get("content_length"), ".content_length", most=LARGEST_FILE)
    digest = validation.name(call.body.get("content_md5"), ".content_md5")
    try:
        if len(base64.b64decode(digest, validate=True)) != 16:
            raise ValueError
    except ValueError:
        raise BadRequest("content_md5 is no base64 of an MD5 digest") from None
    values = {
        "name": None if call.body.get("name") is None else validation.name(call.body["name"], ".name"),
        "filename": None if call.body.get("filename") is None else validation.name(call.body["filename"], ".filename", 500),
        "content_type": validation.name(call.body.get("content_type"), ".content_type"),
        "content_length": length,
        "content_md5": digest,
        "created": float(now()),
        "uploaded": False,
    }

    def write(connection: Connection) -> dict:
        run = run_store.get(connection, call.path["id"])
        row = {**values, "training_run": run["id"]}
        row["id"] = add(connection, files, row)
        data = {**run["data"], "files": [*(run["data"].get("files") or []), str(row["id"])]}
        run_store.change(connection, training_runs, run["id"], {"data": data})
        return row

    row = await call.service.store.do(write)
    return serializers.file(row, call.service.files.link(call.request, row, "PUT"), "upload")


async def get_file(call: Call) -> Answer:
    """GET /files/{id}: where to download it."""
    row = await call.service.store.do(lambda connection: find(connection, files, call.path["id"]))
    return serializers.file(row, call.service.files.link(call.request, row, "GET"), "download")


async def of_experiment(call: Call) -> Answer:
    """POST /aiexperiments/{id}/training_runs: a training run with suggested assignments, or with all of them given."""
    body = validation.training_run(call.body, is_new=True)
    store, advisor = call.service.store, call.service.advisor
    experiment = await store.do(lambda connection: experiment_store.get(connection, call.path["id"], kind="ai"))
    run_store.check_open(experiment)
    given = {name: value for name, value in (body.get("assignments") or {}).items() if value is not None}
    is_over = (body.get("state") or "active") != "active"
    async with advisor.turn(experiment["id"]):
        suggestion = None  # as SigOpt: with only some given it is executed as it is and teaches nothing, nor does one that ended without any
        if assignments.names_of(experiment["body"]) & set(given):
            point = assignments.explicit(experiment["body"], given)
            suggestion = None if point is None else {"assignments": point, "method": "explicit"}
        elif not is_over:
            suggestion = await advisor.suggest(experiment)

        def write(connection: Connection) -> dict:
            return run_store.create(connection, project=experiment["project"], experiment=experiment, body=body, suggestion=suggestion)

        row = await store.do(write)
    if suggestion is not None:
        advisor.prepare(experiment["id"])
    return serializers.training_run(row)


HOT_ROUTES = [
    ("MERGE", "/training_runs/{id}", merge),
    ("GET", "/training_runs/{id}", get),
    ("POST", "/aiexperiments/{id}/training_runs", of_experiment),
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
    ("POST", "/training_runs/{id}/files", create_file),
    ("GET", "/files/{id}", get_file),
]
