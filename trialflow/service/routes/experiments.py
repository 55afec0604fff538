"""AI experiments: create, list, read, update, archive, and their best training runs. Also reached by the older path /experiments/{id}."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from trialflow.metrics import values_of
from trialflow.service import serializers, validation
from trialflow.service.best import best_of, best_share
from trialflow.service.errors import BadRequest
from trialflow.service.routes.paging import Paging
from trialflow.service.routes.projects import check_client
from trialflow.service.store import experiments as store
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import experiments, projects, training_runs
from trialflow.service.transport import Answer, Call
from trialflow.specs import check_update, validate_experiment_body

STATES = ("active", "deleted", "all")
SORTS = ("id", "recent")


def shown(connection: Connection, row: Row) -> dict[str, Any]:
    """An AI experiment with its progress."""
    return serializers.experiment(row, store.progress(connection, row))


async def create(call: Call) -> Answer:
    """POST /clients/{client}/projects/{project}/aiexperiments."""
    check_client(call)
    spec = validate_experiment_body(without_tags(call.body))
    body = spec.to_api()
    await call.service.advisor.ask("check_supported", body)

    def write(connection: Connection) -> dict:
        project = find(connection, projects, call.path["project"])
        return shown(connection, store.create(connection, kind="ai", project=project["id"], body=body))

    return await call.service.store.do(write)


def without_tags(value: Any) -> Any:
    """A body without the `object` keys that clients echo back."""
    if isinstance(value, dict):
        return {key: without_tags(one) for key, one in value.items() if key != "object"}
    return [without_tags(one) for one in value] if isinstance(value, list) else value


async def get(call: Call) -> Answer:
    """GET /aiexperiments/{id}."""
    return await call.service.store.do(lambda connection: shown(connection, store.get(connection, call.path["id"], kind="ai")))


async def list_(call: Call) -> Answer:
    """GET .../aiexperiments: of a project or of all."""
    return await page(call, ("ai",), shown)


async def page(call: Call, kinds: Sequence[str], shape: Callable[[Connection, Row], dict]) -> Answer:
    """A page of experiments as the query asks for: `state`, `search`, `sort`, `ascending`, `limit`, `before`, `after`."""
    check_client(call)
    state, sort = call.query.get("state", "active"), call.query.get("sort", "id")
    for given, allowed in ((state, STATES), (sort, SORTS)):
        if given not in allowed:
            raise BadRequest(f"{given} is not one of the allowed values: {', '.join(allowed)}")
    paging = Paging.of(call.query)
    if sort == "recent" and paging.after is not None:
        raise BadRequest("after cannot be given together with sort=recent")
    search = None if call.query.get("search") is None else str(call.query["search"]).strip()

    def read(connection: Connection) -> dict:
        if (project := call.path.get("project")) is not None:
            find(connection, projects, project)
        wanted, count = store.listed(connection, kinds=kinds, project=project, state=state, search=search)
        if sort == "recent":  # markers are places in that order
            start = paging.before or 0
            rows, more = store.recent_page(connection, wanted, limit=paging.limit, start=start, ascending=paging.ascending)
            markers: dict[str, str | None] = {"before": str(start + paging.limit) if more else None}
        else:
            marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
            rows, more = store.id_page(connection, experiments, wanted, **marks)
            markers = paging.markers(rows, more)
        return serializers.pagination([shape(connection, row) for row in rows], count=count, **markers)

    return await call.service.store.do(read)


async def update(call: Call) -> Answer:
    """PUT /aiexperiments/{id}."""
    fields = without_tags(call.body)
    state = state_of(fields.pop("state", None))

    def write(connection: Connection) -> dict:
        row = store.get(connection, call.path["id"], kind="ai")
        if not fields:
            return shown(connection, store.set_body(connection, row, row["body"], state=state))
        body = updated(row["body"], fields)
        return shown(connection, store.set_body(connection, row, body, state=state))

    return await call.service.store.do(write)


def state_of(given: Any) -> str | None:
    """The state that an update asks for, if any. Raises `BadRequest`."""
    if given not in (None, "active", "deleted"):
        raise BadRequest(f"{validation.excerpt(given)} is not one of the allowed values: active, deleted")
    return given


def updated(body: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """An AI experiment's body after an update."""
    return check_update(validate_experiment_body(body), fields).to_api()


async def delete(call: Call) -> Answer:
    """DELETE /aiexperiments/{id} and /experiments/{id}: archive."""
    include = call.query.get("include_runs", call.body.get("include_runs")) or False
    if not isinstance(include, bool):
        raise BadRequest(f"{validation.excerpt(include)} is not one of the allowed values for include_runs: true, false")
    await call.service.store.do(lambda connection: store.archive(connection, call.path["id"], include_runs=include))
    return {}


async def best_training_runs(call: Call) -> Answer:
    """GET /aiexperiments/{id}/best_training_runs."""

    def read(connection: Connection) -> tuple[Row, list[int], list[dict]]:
        row = store.get(connection, call.path["id"], kind="ai")
        columns = training_runs.c
        wanted = (columns.experiment == row["id"]) & columns.deleted.is_(False) & (columns.state == "completed")
        rows = connection.execute(select(columns.id, columns.data).where(wanted).order_by(columns.id)).all()
        candidates = [(identifier, values_of(data)) for identifier, data in rows]
        if (wanted_solutions := row["body"].get("num_solutions") or 1) > 1:
            good = best_share(row["body"]["metrics"], candidates, least=wanted_solutions)
            assignments = {identifier: data["assignments"] for identifier, data in rows}
            return row, good, [assignments[one] for one in good]
        return row, best_of(row["body"]["metrics"], candidates), []

    experiment, best, ranked = await call.service.store.do(read)
    if ranked:
        best = [best[place] for place in await call.service.advisor.ask("different", experiment["body"], ranked)]
    rows = await call.service.store.do(lambda connection: [find(connection, training_runs, identifier) for identifier in best])
    return serializers.pagination([serializers.training_run(row) for row in rows], count=len(rows))


ROUTES = [
    ("POST", "/clients/{client}/projects/{project}/aiexperiments", create),
    ("GET", "/clients/{client}/projects/{project}/aiexperiments", list_),
    ("GET", "/clients/{client}/aiexperiments", list_),
    ("GET", "/aiexperiments", list_),
    ("GET", "/aiexperiments/{id}", get),
    ("PUT", "/aiexperiments/{id}", update),
    ("DELETE", "/aiexperiments/{id}", delete),
    ("GET", "/aiexperiments/{id}/best_training_runs", best_training_runs),
]
