"""AI experiments: create, list, read, update, archive, and their best training runs. Also reached by the older path /experiments/{id}."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from trialflow.service import shapes
from trialflow.service.best import best_of, best_share
from trialflow.service.errors import BadRequest
from trialflow.service.routes.paging import Paging
from trialflow.service.routes.projects import check_client
from trialflow.service.store import experiments as store
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import projects, training_runs
from trialflow.service.transport import Answer, Call
from trialflow.specs import check_update, validate_experiment_body

STATES = ("active", "deleted", "all")


def shown(connection: Connection, row: Row) -> dict[str, Any]:
    """An AI experiment with its progress."""
    return shapes.experiment(row, store.progress(connection, row))


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
    check_client(call)
    state = call.query.get("state", "active")
    if state not in STATES:
        raise BadRequest(f"{state} is not one of the allowed values: {', '.join(STATES)}")
    paging = Paging.of(call.query)
    search = call.query.get("search")

    def read(connection: Connection) -> dict:
        if (project := call.path.get("project")) is not None:
            find(connection, projects, project)
        rows, count, more = store.page(
            connection,
            kind="ai",
            project=project,
            state=state,
            search=None if search is None else str(search),
            limit=paging.limit,
            before=paging.before,
            after=paging.after,
            ascending=paging.ascending,
        )
        return shapes.pagination([shown(connection, row) for row in rows], count=count, **paging.markers(rows, more))

    return await call.service.store.do(read)


async def update(call: Call) -> Answer:
    """PUT /aiexperiments/{id}."""
    fields = without_tags(call.body)
    state = fields.pop("state", None)
    if state not in (None, "active", "deleted"):
        raise BadRequest(f"{state} is not one of the allowed values: active, deleted")

    def write(connection: Connection) -> dict:
        row = store.get(connection, call.path["id"], kind="ai")
        if not fields:
            return shown(connection, store.set_body(connection, row, row["body"], state=state))
        body = updated(row["body"], fields)
        return shown(connection, store.set_body(connection, row, body, state=state))

    return await call.service.store.do(write)


def updated(body: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """An AI experiment's body after an update."""
    return check_update(validate_experiment_body(body), fields).to_api()


async def delete(call: Call) -> Answer:
    """DELETE /aiexperiments/{id} and /experiments/{id}: archive."""
    include = call.query.get("include_runs") is True
    await call.service.store.do(lambda connection: store.archive(connection, call.path["id"], include_runs=include))
    return {}


async def best_training_runs(call: Call) -> Answer:
    """GET /aiexperiments/{id}/best_training_runs."""

    def read(connection: Connection) -> tuple[Row, list[int], list[dict]]:
        row = store.get(connection, call.path["id"], kind="ai")
        columns = training_runs.c
        wanted = (columns.experiment == row["id"]) & columns.deleted.is_(False) & (columns.state == "completed")
        rows = connection.execute(select(columns.id, columns.data).where(wanted).order_by(columns.id)).all()
        candidates = [(identifier, _values(data)) for identifier, data in rows]
        if (wanted_solutions := row["body"].get("num_solutions") or 1) > 1:
            good = best_share(row["body"]["metrics"], candidates, least=wanted_solutions)
            assignments = {identifier: data["assignments"] for identifier, data in rows}
            return row, good, [assignments[one] for one in good]
        return row, best_of(row["body"]["metrics"], candidates), []

    experiment, best, ranked = await call.service.store.do(read)
    if ranked:
        best = [best[place] for place in await call.service.advisor.ask("different", experiment["body"], ranked)]
    rows = await call.service.store.do(lambda connection: [find(connection, training_runs, identifier) for identifier in best])
    return shapes.pagination([shapes.training_run(row) for row in rows], count=len(rows))


def _values(data: dict) -> dict[str, float]:
    return {name: value["value"] for name, value in data["values"].items()}


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
