"""The core API: experiments with suggestions and observations that the caller makes itself."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.service import checking, shapes, tasks
from trialflow.service.best import best_of
from trialflow.service.errors import BadRequest, Forbidden, NotFound
from trialflow.service.routes import experiments as ai
from trialflow.service.routes.paging import Paging
from trialflow.service.routes.projects import check_client
from trialflow.service.store import experiments as store
from trialflow.service.store.experiments import id_page
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import observations, queued_suggestions, suggestions
from trialflow.service.transport import Answer, Call
from trialflow.specs import check_update, validate_experiment_body

LARGEST_BATCH = 2500
METRIC = "metric"
"""The name of a metric that was given none."""


def body_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A core experiment's body in the form that AI experiments have."""
    body = {key: value for key, value in ai.without_tags(given).items() if value is not None}
    body.pop("development", None)
    body.pop("project", None)
    if body.get("runs_only"):
        raise BadRequest("runs_only experiments are created as AI experiments")
    body.pop("runs_only", None)
    if "observation_budget" in body:
        body["budget"] = body.pop("observation_budget")
    if "metric" in body:
        body.setdefault("metrics", [body.pop("metric")])
    metrics = body.get("metrics") or [{}]
    body["metrics"] = [{"name": one} if isinstance(one, str) else {"name": METRIC, **one} for one in metrics]
    return body


def validated(body: Mapping[str, Any]) -> dict[str, Any]:
    """A core experiment's body as it is kept. With tasks, whose cost counts, its budget may be a fraction of whole observations."""
    given = {key: value for key, value in body.items() if key != "tasks"}
    if not body.get("tasks"):
        return validate_experiment_body(given).to_api()
    asked, budget = tasks.tasks_of(body["tasks"]), given.pop("budget", None)
    if budget is not None and checking.finite(budget, ".observation_budget") <= 0:
        raise BadRequest(f".observation_budget must be above 0, not {budget}")
    whole = {} if budget is None else {"budget": math.ceil(budget)}  # what else there is of rules about it is about whole observations
    kept = {**validate_experiment_body({**given, **whole}).to_api(), "tasks": asked, **({} if budget is None else {"budget": budget})}
    tasks.check_together(kept)
    return kept


def updated(body: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A core experiment's body after an update; fields that stay may be sent along. Raises `BadRequest` for tasks that change."""
    given = {key: value for key, value in fields.items() if key not in ("development", "metric", "runs_only", "progress")}
    if "tasks" in given and (given.pop("tasks") or []) != (body.get("tasks") or []):
        raise BadRequest("tasks cannot be changed once the experiment exists")
    if not body.get("tasks"):
        return check_update(validate_experiment_body(body), given).to_api()
    kept = {key: value for key, value in body.items() if key not in ("tasks", "budget")}
    budget = given.pop("budget", body["budget"])
    changed = check_update(validate_experiment_body(kept), given).to_api() if given else kept
    return validated({**changed, "tasks": body["tasks"], "budget": budget})


def _shown(connection: Connection, row: Row) -> dict[str, Any]:
    progress = store.progress(connection, row)
    first, last = progress.pop("first"), progress.pop("last")
    found = {key: shapes.observation(find(connection, observations, one)) if one else None for key, one in (("first", first), ("last", last))}
    best = _best(connection, row) if sum(one.get("strategy") in (None, "optimize") for one in row["body"]["metrics"]) == 1 else []
    progress.update({"first_observation": found["first"], "last_observation": found["last"]})
    progress["best_observation"] = shapes.observation(best[0]) if best else None
    return shapes.experiment(row, progress)


async def create(call: Call) -> Answer:
    """POST /experiments."""
    check_client(call)
    project = call.path.get("project") or call.body.get("project")
    body = validated(body_of(call.body))
    await call.service.advisor.ask("check_supported", body)
    return await call.service.store.do(lambda connection: _shown(connection, store.create(connection, kind="core", project=project, body=body)))


async def get(call: Call) -> Answer:
    """GET /experiments/{id}; an AI experiment is answered as such."""

    def read(connection: Connection) -> dict:
        row = store.get(connection, call.path["id"])
        return ai.shown(connection, row) if row["kind"] == "ai" else _shown(connection, row)

    return await call.service.store.do(read)


async def list_(call: Call) -> Answer:
    """GET .../experiments."""
    check_client(call)
    paging = Paging.of(call.query)
    state = call.query.get("state", "active")

    def read(connection: Connection) -> dict:
        marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
        rows, count, more = store.page(connection, kind="core", project=call.path.get("project"), state=state, search=None, **marks)
        return shapes.pagination([_shown(connection, row) for row in rows], count=count, **paging.markers(rows, more))

    return await call.service.store.do(read)


async def put(call: Call) -> Answer:
    """PUT /experiments/{id}."""
    fields = dict(ai.without_tags(call.body))
    state = fields.pop("state", None)
    if "observation_budget" in fields:
        fields["budget"] = fields.pop("observation_budget")

    def write(connection: Connection) -> dict:
        row = store.get(connection, call.path["id"])
        change = updated if row["kind"] == "core" else ai.updated
        body = change(row["body"], fields) if fields else row["body"]
        row = store.set_body(connection, row, body, state=state)
        return ai.shown(connection, row) if row["kind"] == "ai" else _shown(connection, row)

    return await call.service.store.do(write)


def _experiment(connection: Connection, call: Call) -> Row:
    row = store.get(connection, call.path["experiment"])
    if row["kind"] == "ai":
        raise Forbidden("Suggestions and observations of an AI experiment are made by its training runs")
    return row


async def create_suggestion(call: Call) -> Answer:
    """POST /experiments/{experiment}/suggestions: the next point to try, or an explicit one."""
    checking.known_keys(call.body, ("assignments", "metadata", "task", "object"))
    experiment = await call.service.store.do(lambda connection: _experiment(connection, call))
    if experiment["state"] != "active":
        raise BadRequest(f"Experiment {experiment['id']} is archived: it gives no suggestions")
    given = call.body.get("assignments")
    metadata = None if call.body.get("metadata") is None else checking.metadata(call.body["metadata"])
    choices = experiment["body"].get("tasks")
    task, full = tasks.task_named(choices, call.body.get("task")), tasks.task_costing(choices, 1.0) if choices else None
    async with call.service.advisor.turn(experiment["id"]):
        if given:
            found = {"assignments": check_assignments(experiment, given), "method": "explicit", "task": task or full}
        else:
            found = await call.service.advisor.suggest(experiment)
            found = {**found, "task": task or found["task"] or full}
        values = {"experiment": experiment["id"], **found, "state": "open", "created": now(), "deleted": False, "metadata": metadata}
        identifier = await call.service.store.do(lambda connection: add(connection, suggestions, values))
    call.service.advisor.prepare(experiment["id"])
    return shapes.suggestion({"id": identifier, **values})


def check_assignments(experiment: Row, given: Any) -> dict[str, Any]:
    """Assignments for all parameters of an experiment and for nothing else. Raises `BadRequest`."""
    if not isinstance(given, Mapping):
        raise BadRequest(f"Invalid type for .assignments: {checking.excerpt(given)} - expected type object")
    parameters = {one["name"]: one for one in experiment["body"]["parameters"]}
    choices = {one["name"]: one for one in experiment["body"].get("conditionals") or []}
    if unknown := [name for name in given if name not in parameters and name not in choices]:
        raise BadRequest(f"Unknown parameters in .assignments: {', '.join(unknown)}")
    for name, one in parameters.items():
        if name not in given:
            if one.get("conditions"):
                continue
            raise BadRequest(f'Missing required json key "{name}" in: {checking.excerpt(given)}')
        _check_assignment(one, given[name])
    return dict(given)


def _check_assignment(one: Mapping[str, Any], value: Any) -> None:
    path = f".assignments.{one['name']}"
    if one["type"] == "categorical":
        if value not in one["categorical_values"]:
            raise BadRequest(f"{value} is not one of the allowed values: {', '.join(one['categorical_values'])}")
        return
    if one["type"] == "int" and checking.finite(value, path) != int(value):
        raise BadRequest(f"Invalid type for {path}: {value} - expected type integer")
    checking.finite(value, path)


async def create_observation(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations."""
    row = await call.service.store.do(lambda connection: _observe(connection, _experiment(connection, call), call.body))
    if not call.body.get("no_optimize"):
        call.service.advisor.prepare(row["experiment"])
    return shapes.observation(row)


async def create_observations(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations/batch: up to 2,500."""
    bodies = call.body.get("observations")
    if not isinstance(bodies, list) or not all(isinstance(one, dict) for one in bodies):
        raise BadRequest("Invalid type for .observations: expected an array of objects")
    if len(bodies) > LARGEST_BATCH:
        raise BadRequest(f"{len(bodies)} observations in a batch, at most {LARGEST_BATCH} are allowed")

    def write(connection: Connection) -> list[Row]:
        experiment = _experiment(connection, call)
        return [_observe(connection, experiment, body) for body in bodies]

    rows = await call.service.store.do(write)
    if rows:
        call.service.advisor.prepare(rows[0]["experiment"])
    return shapes.pagination([shapes.observation(row) for row in rows], count=len(rows))


OBSERVATION_KEYS = ("suggestion", "assignments", "values", "value", "value_stddev", "failed", "metadata", "task", "no_optimize", "object")


def _observe(connection: Connection, experiment: Row, body: Mapping[str, Any]) -> Row:
    checking.known_keys(body, OBSERVATION_KEYS)
    if (body.get("suggestion") is None) == (body.get("assignments") is None):
        raise BadRequest("Give exactly one of suggestion and assignments")
    suggestion = None
    if body.get("suggestion") is not None:
        suggestion = find(connection, suggestions, body["suggestion"])
        if suggestion["experiment"] != experiment["id"]:
            raise NotFound("suggestion", body["suggestion"])
        assignments = suggestion["assignments"]
    else:
        assignments = check_assignments(experiment, body["assignments"])
    task = tasks.task_named(experiment["body"].get("tasks"), body.get("task")) or (suggestion or {}).get("task")
    if task is None and experiment["body"].get("tasks"):
        raise BadRequest("An observation of an experiment with tasks needs a task or a suggestion")
    values = {
        "experiment": experiment["id"],
        "suggestion": suggestion["id"] if suggestion else None,
        "training_run": None,
        "assignments": assignments,
        **_measured(experiment, body),
        "created": now(),
        "deleted": False,
        "metadata": None if body.get("metadata") is None else checking.metadata(body["metadata"]),
        "task": task,
    }
    identifier = add(connection, observations, values)
    if suggestion is not None:
        change(connection, suggestions, suggestion["id"], {"state": "closed"})
    return {"id": identifier, **values}


def _measured(experiment: Row, body: Mapping[str, Any]) -> dict[str, Any]:
    """`failed` and `values` of an observation's body, checked against each other and against the metrics."""
    names = [one["name"] for one in experiment["body"]["metrics"]]
    failed = body.get("failed") or False
    if not isinstance(failed, bool):
        raise BadRequest(f"Invalid type for .failed: {checking.excerpt(failed)} - expected type boolean")
    given = body.get("values")
    if given is None and body.get("value") is not None:
        given = [{"value": body["value"], "value_stddev": body.get("value_stddev")}]
    if failed:
        if given:
            raise BadRequest("A failed observation has no values")
        return {"failed": True, "values": []}
    if given is None:
        raise BadRequest(f'Missing required json key "values" in: {checking.excerpt(dict(body))}')
    values = checking.evaluations(given, names)
    if missing := [name for name in names if name not in {one["name"] for one in values}]:
        raise BadRequest(f"Missing values for the metrics: {', '.join(missing)}")
    return {"failed": False, "values": values}


def _collection(table: Any, shape: Any, *, has_deleted: bool) -> tuple:
    """List, get and delete of objects that belong to a core experiment."""

    def mine(connection: Connection, call: Call) -> tuple[Row, Row]:
        experiment = store.get(connection, call.path["experiment"])
        row = find(connection, table, call.path["id"])
        if row["experiment"] != experiment["id"]:
            raise NotFound(table.name.rstrip("s").replace("_", " "), call.path["id"])
        return experiment, row

    async def list_of(call: Call) -> Answer:
        paging = Paging.of(call.query)
        state = call.query.get("state")

        def read(connection: Connection) -> dict:
            experiment = store.get(connection, call.path["experiment"])
            wanted = table.c.experiment == experiment["id"]
            if has_deleted:
                wanted &= table.c.deleted.is_(False)
            if state is not None and "state" in table.c:
                wanted &= table.c.state == state
            marks = {"limit": paging.limit, "before": paging.before, "after": paging.after, "ascending": paging.ascending}
            rows, more = id_page(connection, table, wanted, **marks)
            count = connection.execute(select(func.count()).select_from(table).where(wanted)).scalar_one()
            return shapes.pagination([shape(row) for row in rows], count=count, **paging.markers(rows, more))

        return await call.service.store.do(read)

    async def get_one(call: Call) -> Answer:
        return shape(await call.service.store.do(lambda connection: mine(connection, call)[1]))

    def remove(connection: Connection, experiment: Row, condition: Any) -> None:
        if has_deleted:
            connection.execute(update(table).where(condition).values(deleted=True))
        else:
            connection.execute(table.delete().where(condition))
        store.touch_history(connection, experiment["id"])

    async def delete_one(call: Call) -> Answer:
        def write(connection: Connection) -> None:
            experiment, row = mine(connection, call)
            remove(connection, experiment, table.c.id == row["id"])

        await call.service.store.do(write)
        return {}

    async def delete_all(call: Call) -> Answer:
        def write(connection: Connection) -> None:
            experiment = store.get(connection, call.path["experiment"])
            remove(connection, experiment, table.c.experiment == experiment["id"])

        await call.service.store.do(write)
        return {}

    return list_of, get_one, delete_one, delete_all


async def update_suggestion(call: Call) -> Answer:
    """PUT /experiments/{experiment}/suggestions/{id}: its metadata, or its state."""
    checking.known_keys(call.body, ("metadata", "state", "object"))
    values: dict[str, Any] = {}
    if call.body.get("metadata") is not None:
        values["metadata"] = checking.metadata(call.body["metadata"])
    if call.body.get("state") in ("open", "closed"):
        values["state"] = call.body["state"]

    def write(connection: Connection) -> Row:
        _experiment(connection, call)
        row = find(connection, suggestions, call.path["id"])
        if values:
            change(connection, suggestions, row["id"], values)
        return {**row, **values}

    return shapes.suggestion(await call.service.store.do(write))


async def update_observation(call: Call) -> Answer:
    """PUT /experiments/{experiment}/observations/{id}."""
    checking.known_keys(call.body, OBSERVATION_KEYS)

    def write(connection: Connection) -> Row:
        experiment = _experiment(connection, call)
        row = find(connection, observations, call.path["id"])
        values: dict[str, Any] = {}
        if any(call.body.get(key) is not None for key in ("values", "value", "failed")):
            values.update(_measured(experiment, call.body))
        if call.body.get("assignments") is not None:
            values["assignments"] = check_assignments(experiment, call.body["assignments"])
        if call.body.get("metadata") is not None:
            values["metadata"] = checking.metadata(call.body["metadata"])
        if (task := tasks.task_named(experiment["body"].get("tasks"), call.body.get("task"))) is not None:
            values["task"] = task
        if values:
            change(connection, observations, row["id"], values)
            store.touch_history(connection, experiment["id"])
        return {**row, **values}

    return shapes.observation(await call.service.store.do(write))


async def create_queued(call: Call) -> Answer:
    """POST /experiments/{experiment}/queued_suggestions: a point to be given out before any other."""
    checking.known_keys(call.body, ("assignments", "task", "object"))

    def write(connection: Connection) -> Row:
        experiment = store.get(connection, call.path["experiment"])
        assignments = check_assignments(experiment, call.body.get("assignments"))
        task = tasks.task_named(experiment["body"].get("tasks"), call.body.get("task"))
        values = {"experiment": experiment["id"], "assignments": assignments, "created": now(), "task": task}
        return {"id": add(connection, queued_suggestions, values), **values}

    return shapes.queued_suggestion(await call.service.store.do(write))


def _succeeded(connection: Connection, experiment: Row) -> list[Row]:
    columns = observations.c
    wanted = (columns.experiment == experiment["id"]) & columns.deleted.is_(False) & columns.failed.is_(False)
    return [dict(row) for row in connection.execute(select(observations).where(wanted).order_by(columns.id)).mappings()]


def _best(connection: Connection, experiment: Row) -> Sequence[Row]:
    rows = [row for row in _succeeded(connection, experiment) if tasks.is_full(row)]
    return best_of(experiment["body"]["metrics"], [(row, {one["name"]: one["value"] for one in row["values"]}) for row in rows])


async def best_assignments(call: Call) -> Answer:
    """GET /experiments/{experiment}/best_assignments."""
    rows = await call.service.store.do(lambda connection: _best(connection, store.get(connection, call.path["experiment"])))
    return shapes.pagination([shapes.best_assignments(row) for row in rows], count=len(rows))


async def stopping_criteria(call: Call) -> Answer:
    """GET /experiments/{experiment}/stopping_criteria."""

    def read(connection: Connection) -> dict:
        row = store.get(connection, call.path["experiment"])
        progress = store.progress(connection, row)
        done = progress.get("observation_budget_consumed", progress.get("finished_run_count", 0))
        budget = row["body"].get("budget")
        spent = budget is not None and done >= budget
        return {"object": "stopping_criteria", "should_stop": spent, "reasons": ["observation_budget_reached"] if spent else []}

    return await call.service.store.do(read)


async def metric_importances(call: Call) -> Answer:
    """GET /experiments/{experiment}/metric_importances: how much each metric depends on each parameter."""

    def read(connection: Connection) -> tuple[Row, list[Row]]:
        row = store.get(connection, call.path["experiment"])
        return row, _succeeded(connection, row)

    experiment, rows = await call.service.store.do(read)
    found = await call.service.advisor.ask("importances", experiment["body"], rows)
    data = [{"object": "metric_importances", "metric": metric, "importances": shares} for metric, shares in sorted(found.items())]
    return shapes.pagination(data, count=len(data))


async def beliefs(call: Call) -> Answer:
    """GET /aiexperiments/{experiment}/beliefs: what the models say; not a path of SigOpt's."""

    def read(connection: Connection) -> tuple[Row, list[Row]]:
        row = store.get(connection, call.path["experiment"])
        return row, _succeeded(connection, row)

    experiment, rows = await call.service.store.do(read)
    found = await call.service.advisor.ask("beliefs", experiment["body"], rows)
    data = [{"object": "belief", "metric": metric, **one} for metric, one in sorted(found.items())]
    return shapes.pagination(data, count=len(data))


SUGGESTIONS, OBSERVATIONS, QUEUED = (f"/experiments/{{experiment}}/{name}" for name in ("suggestions", "observations", "queued_suggestions"))
_suggestions = _collection(suggestions, shapes.suggestion, has_deleted=True)
_observations = _collection(observations, shapes.observation, has_deleted=True)
_queued = _collection(queued_suggestions, shapes.queued_suggestion, has_deleted=False)

ROUTES = [
    ("POST", "/experiments", create),
    ("POST", "/clients/{client}/experiments", create),
    ("POST", "/clients/{client}/projects/{project}/experiments", create),
    ("GET", "/experiments", list_),
    ("GET", "/clients/{client}/experiments", list_),
    ("GET", "/clients/{client}/projects/{project}/experiments", list_),
    ("GET", "/experiments/{id}", get),
    ("PUT", "/experiments/{id}", put),
    ("DELETE", "/experiments/{id}", ai.delete),
    ("POST", SUGGESTIONS, create_suggestion),
    ("PUT", SUGGESTIONS + "/{id}", update_suggestion),
    ("POST", OBSERVATIONS, create_observation),
    ("POST", OBSERVATIONS + "/batch", create_observations),
    ("PUT", OBSERVATIONS + "/{id}", update_observation),
    ("POST", QUEUED, create_queued),
    *[
        route
        for path, (list_of, get_one, delete_one, delete_all) in ((SUGGESTIONS, _suggestions), (OBSERVATIONS, _observations), (QUEUED, _queued))
        for route in (("GET", path, list_of), ("GET", path + "/{id}", get_one), ("DELETE", path + "/{id}", delete_one), ("DELETE", path, delete_all))
    ],
    ("GET", "/experiments/{experiment}/best_assignments", best_assignments),
    ("GET", "/experiments/{experiment}/stopping_criteria", stopping_criteria),
    ("GET", "/experiments/{experiment}/metric_importances", metric_importances),
    ("GET", "/aiexperiments/{experiment}/metric_importances", metric_importances),
    ("GET", "/experiments/{experiment}/beliefs", beliefs),
    ("GET", "/aiexperiments/{experiment}/beliefs", beliefs),
]
