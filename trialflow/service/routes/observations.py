"""Observations of the core API: what the caller measured at a suggestion or at assignments of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from trialflow.service import assignments, multitask, serializers, validation
from trialflow.service.errors import BadRequest, NotFound
from trialflow.service.requests import Call, is_set
from trialflow.service.routes.collections import collection, core_experiment, mine
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import observations as store
from trialflow.service.store import runs as run_store
from trialflow.service.store.rows import Row, find, now
from trialflow.service.store.schema import observations, suggestions
from trialflow.service.transport import Answer

LARGEST_BATCH = 2500
MEASURED = ("values", "value", "value_stddev", "failed")
KEYS = ("suggestion", "assignments", "training_run", *MEASURED, "metadata", "task", "no_optimize", "dry_run", "object")


async def create(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations."""
    dry_run, no_optimize = is_set(call, "dry_run"), is_set(call, "no_optimize")
    row = await call.do(lambda connection: _observe(connection, _open_experiment(connection, call), call.body, dry_run=dry_run))
    if not (dry_run or no_optimize):
        call.service.suggester.prepare(row["experiment"])
    return serializers.observation(row)


async def create_batch(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations/batch: up to 2,500."""
    validation.known_keys(call.body, ("observations", "no_optimize", "dry_run"))
    dry_run, no_optimize = is_set(call, "dry_run"), is_set(call, "no_optimize")
    bodies = call.body.get("observations")
    if not isinstance(bodies, list) or not all(isinstance(one, dict) for one in bodies):
        raise BadRequest("Invalid type for .observations: expected an array of objects")
    if len(bodies) > LARGEST_BATCH:
        raise BadRequest(f"{len(bodies)} observations in a batch, at most {LARGEST_BATCH} are allowed")

    def write(connection: Connection) -> list[Row]:
        experiment = _open_experiment(connection, call)
        # All are checked before the first is stored.
        checked = [_observe(connection, experiment, body, dry_run=True) for body in bodies]
        return checked if dry_run else [_store(connection, row) for row in checked]

    rows = await call.do(write)
    if rows and not (dry_run or no_optimize):
        call.service.suggester.prepare(rows[0]["experiment"])
    return serializers.pagination([serializers.observation(row) for row in rows], count=len(rows))


async def put(call: Call) -> Answer:
    """PUT /experiments/{experiment}/observations/{id}."""
    validation.known_keys(call.body, KEYS)
    dry_run, no_optimize = is_set(call, "dry_run"), is_set(call, "no_optimize")

    def write(connection: Connection) -> Row:
        experiment = core_experiment(connection, call)
        row = mine(connection, call, observations, experiment)
        values = _changes(connection, experiment, row, call.body)
        return {**row, **values} if dry_run else store.update(connection, row, values)

    row = await call.do(write)
    if not (dry_run or no_optimize):
        call.service.suggester.prepare(row["experiment"])
    return serializers.observation(row)


def _open_experiment(connection: Connection, call: Call) -> Row:
    experiment = core_experiment(connection, call)
    experiment_store.check_active(experiment)
    return experiment


def _store(connection: Connection, row: Row) -> Row:
    return store.create(connection, {key: value for key, value in row.items() if key != "id"})


def _observe(connection: Connection, experiment: Row, body: Mapping[str, Any], *, dry_run: bool) -> Row:
    """The observation that a body describes, stored unless it is a `dry_run`."""
    validation.known_keys(body, KEYS)
    if body.get("training_run") is not None:
        if dry_run or any(body.get(key) is not None for key in ("suggestion", "assignments", "values", "value")):
            raise BadRequest("An observation of a training_run takes everything else from it")
        run = validation.integer(body["training_run"], ".training_run")
        return run_store.observation_of(connection, experiment, run, failed=body.get("failed") is True)
    if (body.get("suggestion") is None) == (body.get("assignments") is None):
        raise BadRequest("Give exactly one of suggestion and assignments")
    suggestion = None
    if body.get("suggestion") is not None:
        suggestion = _suggestion(connection, experiment, body["suggestion"])
        point = suggestion["assignments"]
    else:
        point = assignments.checked(experiment["body"], body["assignments"])
    task = multitask.find_task(experiment["body"].get("tasks"), body.get("task")) or (suggestion or {}).get("task")
    if task is None and experiment["body"].get("tasks"):
        raise BadRequest("An observation of an experiment with tasks needs a task or a suggestion")
    row = {
        "id": None,
        "experiment": experiment["id"],
        "suggestion": suggestion["id"] if suggestion else None,
        "training_run": None,
        "assignments": point,
        **_measured(experiment, body, {}),
        "created": now(),
        "deleted": False,
        "metadata": validation.metadata(body.get("metadata")),
        "task": task,
    }
    return row if dry_run else _store(connection, row)


def _changes(connection: Connection, experiment: Row, row: Row, body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that an update changes; what it does not mention stays."""
    values: dict[str, Any] = {}
    if body.get("suggestion") is not None and body.get("assignments") is not None:
        raise BadRequest("Give at most one of suggestion and assignments")
    if body.get("suggestion") is not None:
        suggestion = _suggestion(connection, experiment, body["suggestion"])
        values.update({"suggestion": suggestion["id"], "assignments": suggestion["assignments"]})
    if body.get("assignments") is not None:  # what was measured elsewhere is no longer an answer to the suggestion
        values.update({"suggestion": None, "assignments": assignments.checked(experiment["body"], body["assignments"])})
    if any(body.get(key) is not None for key in ("values", "value", "failed")) or "value_stddev" in body:
        values.update(_measured(experiment, body, row))
    if "metadata" in body:
        values["metadata"] = validation.metadata(body["metadata"])
    if (task := multitask.find_task(experiment["body"].get("tasks"), body.get("task"))) is not None:
        values["task"] = task
    return {key: value for key, value in values.items() if value != row[key]}


def _suggestion(connection: Connection, experiment: Row, identifier: Any) -> Row:
    """The suggestion that a body names. Raises `BadRequest` if the experiment has no such suggestion."""
    try:
        suggestion = find(connection, suggestions, validation.integer(identifier, ".suggestion"))
    except NotFound as missing:
        raise BadRequest(missing.message) from None
    if suggestion["experiment"] != experiment["id"] or suggestion["deleted"]:
        raise BadRequest(f"No suggestion with the id {suggestion['id']} in this experiment")
    return suggestion


def _measured(experiment: Row, body: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`failed` and `values` of an observation, checked against each other and against the metrics. What is not given stays as it was `before`."""
    names = [one["name"] for one in experiment["body"]["metrics"]]
    failed = body.get("failed")
    if failed is not None and not isinstance(failed, bool):
        raise BadRequest(f"Invalid type for .failed: {validation.excerpt(failed)} - expected type boolean")
    given = body.get("values")
    if given is not None and (body.get("value") is not None or "value_stddev" in body):
        raise BadRequest("Give at most one of value and values")
    known = {one["name"]: one for one in before.get("values") or []}
    if given is None and (body.get("value") is not None or "value_stddev" in body):
        if len(names) > 1:
            raise BadRequest("With several metrics give values, not value")
        value = body.get("value") if body.get("value") is not None else known.get(names[0], {}).get("value")
        given = None if value is None else [{"value": value, **({"value_stddev": body["value_stddev"]} if "value_stddev" in body else {})}]
    if failed:
        if given and (body.get("values") or body.get("value") is not None):
            raise BadRequest("A failed observation has no values")
        return {"failed": True, "values": []}
    if given is None:
        if known and not before["failed"]:
            return {"failed": False, "values": before["values"]}
        raise BadRequest(f'Missing required json key "values" in: {validation.excerpt(dict(body))}')
    values = validation.evaluations(given, names)
    if missing := [name for name in names if name not in {one["name"] for one in values}]:
        raise BadRequest(f"Missing values for the metrics: {', '.join(missing)}")
    for sent, one in zip(given, values, strict=True):
        if "value_stddev" not in sent and known.get(one["name"], {}).get("value_stddev") is not None:
            one["value_stddev"] = known[one["name"]]["value_stddev"]
    return {"failed": False, "values": values}


def _sort_key(experiment: Row, sort: str) -> Callable[[Row], Any]:
    """What observations are sorted by; `value`, `value_stddev` and `parameter` may name a metric or a parameter, as in `value-accuracy`."""
    kind, _, name = sort.partition("-")
    metrics = [one["name"] for one in experiment["body"]["metrics"]]
    if kind in ("value", "value_stddev"):
        metric = validation.one_of(name, metrics) if name else metrics[0]
        return lambda row: next((one.get(kind) for one in row["values"] if one["name"] == metric), None)
    if kind == "parameter" and name:
        validation.one_of(name, sorted(assignments.names_of(experiment["body"])))
        return lambda row: None if (value := row["assignments"].get(name)) is None else (isinstance(value, str), value)
    return SORTS[validation.one_of(sort, ("id", "value", "value_stddev", *SORTS))]


SORTS: dict[str, Callable[[Row], Any]] = {
    "parameter": lambda row: [(name, isinstance(value, str), value) for name, value in sorted(row["assignments"].items())],
    "timestamp": lambda row: row["created"],
    "task": lambda row: (row["task"] or {}).get("cost"),
}
PATH = "/experiments/{experiment}/observations"
ROUTES = [
    ("POST", PATH, create),
    ("POST", PATH + "/batch", create_batch),
    ("PUT", PATH + "/{id}", put),
    *collection(PATH, observations, serializers.observation, sort_key=_sort_key),
]
