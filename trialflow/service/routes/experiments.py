"""Experiments: create, list, read, update, archive; their best training runs. The older path /experiments/{id} also reaches AI experiments."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from trialflow import api_types as api
from trialflow.service import serializers, validation
from trialflow.service.errors import BadRequest
from trialflow.service.experiment_bodies import ai_body, core_body, updated_ai, updated_core, without_tags
from trialflow.service.paging import Paging
from trialflow.service.requests import Call, is_set
from trialflow.service.routes.projects import check_client
from trialflow.service.store import best as best_store
from trialflow.service.store import experiments as store
from trialflow.service.store import projects as project_store
from trialflow.service.store import runs as run_store
from trialflow.service.store.progress import progress
from trialflow.service.store.rows import Row
from trialflow.service.transport import Answer, Endpoint

STATES = ("active", "deleted", "all")
SORTS = ("id", "recent")


async def create_ai(call: Call) -> Answer:
    """POST /clients/{client}/projects/{project}/aiexperiments."""
    check_client(call)
    body = ai_body(call.body)
    await call.service.suggester.ask("check_supported", body)

    def write(connection: Connection) -> api.Experiment:
        project = project_store.get(connection, call.path["project"])
        return _shown(connection, store.create(connection, kind="ai", project=project["id"], body=body))

    return await call.do(write)


async def create_core(call: Call) -> Answer:
    """POST /experiments, of a project or of none."""
    check_client(call)
    given = call.body.get("project")
    body = core_body(call.body)
    await call.service.suggester.ask("check_supported", body)

    def write(connection: Connection) -> api.Experiment:
        project = None if given is None else project_store.named(connection, given)
        if (of_path := call.path.get("project")) is not None:
            of_path = project_store.get(connection, of_path)["id"]
            if project not in (None, of_path):
                raise BadRequest(f"Invalid value for .project: {validation.excerpt(project)} - the path says {of_path}")
        return _shown(connection, store.create(connection, kind="core", project=of_path or project, body=body))

    return await call.do(write)


async def get_ai(call: Call) -> Answer:
    """GET /aiexperiments/{id}."""
    return await call.do(lambda connection: _shown(connection, store.get(connection, call.path["id"], kind="ai")))


async def get_any(call: Call) -> Answer:
    """GET /experiments/{id}; an AI experiment is answered as such."""
    return await call.do(lambda connection: _shown(connection, store.get(connection, call.path["id"])))


async def list_ai(call: Call) -> Answer:
    """GET .../aiexperiments: of a project or of all."""
    return await _page(call, ("ai",))


async def list_core(call: Call) -> Answer:
    """GET .../experiments; AI experiments are among them if `include_ai` is given."""
    return await _page(call, ("core", "ai") if is_set(call, "include_ai") else ("core",))


async def put_ai(call: Call) -> Answer:
    """PUT /aiexperiments/{id}."""
    return await _put(call, "ai")


async def put_any(call: Call) -> Answer:
    """PUT /experiments/{id}."""
    return await _put(call, None)


async def delete(call: Call) -> Answer:
    """DELETE /aiexperiments/{id} and /experiments/{id}: archive."""
    include_runs = is_set(call, "include_runs")
    await call.do(lambda connection: store.archive(connection, call.path["id"], include_runs=include_runs))
    return {}


async def best_training_runs(call: Call) -> Answer:
    """GET /aiexperiments/{id}/best_training_runs, best first. Markers are ranks, the best one's being the highest."""
    paging = Paging.of(call.query)
    experiment, best = await call.do(lambda connection: best_store.training_runs_of(connection, call.path["id"]))
    if best and (experiment["body"].get("num_solutions") or 1) > 1:
        best = [best[rank] for rank in await call.service.suggester.ask("diverse", experiment["body"], [one["assignments"] for one in best])]
    page, markers = paging.cut(best[::-1])
    rows = await call.do(lambda connection: [run_store.get(connection, one["id"]) for one in page])
    return serializers.pagination(map(serializers.training_run, rows), count=len(best), **markers)


def _shown(connection: Connection, row: Row) -> api.Experiment:
    return serializers.experiment(row, progress(connection, row))


async def _page(call: Call, kinds: Sequence[str]) -> Answer:
    """A page of experiments as the query asks for: `state`, `search`, `sort`, `ascending`, `limit`, `before`, `after`."""
    check_client(call)
    state = validation.one_of(call.query.get("state", "active"), STATES)
    by = {"id": store.by_id, "recent": store.by_update}[validation.one_of(call.query.get("sort", "id"), SORTS)]
    paging = Paging.of(call.query)
    search = call.query.get("search", "").strip() or None

    def read(connection: Connection) -> api.Page[api.Experiment]:
        if (project := call.path.get("project")) is not None:
            project_store.get(connection, project)
        wanted, count = store.listed(connection, kinds=kinds, project=project, state=state, search=search)
        rows, markers = by(connection, wanted, paging)
        return serializers.pagination([_shown(connection, row) for row in rows], count=count, **markers)

    return await call.do(read)


async def _put(call: Call, kind: str | None) -> Answer:
    fields: dict[str, Any] = without_tags(call.body)
    state, project = fields.pop("state", None), fields.pop("project", None)
    if state is not None:
        validation.one_of(state, ("active", "deleted"))

    def write(connection: Connection) -> api.Experiment:
        row = store.get(connection, call.path["id"], kind=kind)
        change = updated_ai if row["kind"] == "ai" else updated_core
        body = change(row["body"], fields) if fields else row["body"]
        return _shown(connection, store.set_body(connection, row, body, state=state, project=project))

    return await call.do(write)


def _lists(name: str, endpoint: Endpoint) -> list[tuple[str, str, Endpoint]]:
    return [("GET", f"{place}/{name}", endpoint) for place in ("", "/clients/{client}", "/clients/{client}/projects/{project}")]


ROUTES = [
    ("POST", "/clients/{client}/projects/{project}/aiexperiments", create_ai),
    *_lists("aiexperiments", list_ai),
    ("GET", "/aiexperiments/{id}", get_ai),
    ("PUT", "/aiexperiments/{id}", put_ai),
    ("DELETE", "/aiexperiments/{id}", delete),
    ("GET", "/aiexperiments/{id}/best_training_runs", best_training_runs),
    ("POST", "/experiments", create_core),
    ("POST", "/clients/{client}/experiments", create_core),
    ("POST", "/clients/{client}/projects/{project}/experiments", create_core),
    *_lists("experiments", list_core),
    ("GET", "/experiments/{id}", get_any),
    ("PUT", "/experiments/{id}", put_any),
    ("DELETE", "/experiments/{id}", delete),
]
