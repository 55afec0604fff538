"""Observations of the core API: what the caller measured at a suggestion or at assignments of its own."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from trialflow.service import assignments, serializers, tasks, validation
from trialflow.service.errors import BadRequest, NotFound
from trialflow.service.routes.collections import collection, core_experiment, mine
from trialflow.service.store import experiments as store
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import observations, suggestions
from trialflow.service.transport import Answer, Call

LARGEST_BATCH = 2500
KEYS = ("suggestion", "assignments", "values", "value", "value_stddev", "failed", "metadata", "task", "no_optimize", "object")


async def create(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations."""
    row = await call.service.store.do(lambda connection: _observe(connection, core_experiment(connection, call), call.body))
    if not call.body.get("no_optimize"):
        call.service.advisor.prepare(row["experiment"])
    return serializers.observation(row)


async def create_batch(call: Call) -> Answer:
    """POST /experiments/{experiment}/observations/batch: up to 2,500."""
    bodies = call.body.get("observations")
    if not isinstance(bodies, list) or not all(isinstance(one, dict) for one in bodies):
        raise BadRequest("Invalid type for .observations: expected an array of objects")
    if len(bodies) > LARGEST_BATCH:
        raise BadRequest(f"{len(bodies)} observations in a batch, at most {LARGEST_BATCH} are allowed")

    def write(connection: Connection) -> list[Row]:
        experiment = core_experiment(connection, call)
        return [_observe(connection, experiment, body) for body in bodies]

    rows = await call.service.store.do(write)
    if rows:
        call.service.advisor.prepare(rows[0]["experiment"])
    return serializers.pagination([serializers.observation(row) for row in rows], count=len(rows))


async def put(call: Call) -> Answer:
    """PUT /experiments/{experiment}/observations/{id}."""
    validation.known_keys(call.body, KEYS)

    def write(connection: Connection) -> Row:
        experiment = core_experiment(connection, call)
        row = mine(connection, call, observations, experiment)
        values = _changes(connection, experiment, call.body)
        if values:
            change(connection, observations, row["id"], values)
            store.touch_history(connection, experiment["id"])
        return {**row, **values}

    row = await call.service.store.do(write)
    if not call.body.get("no_optimize"):
        call.service.advisor.prepare(row["experiment"])
    return serializers.observation(row)


def _observe(connection: Connection, experiment: Row, body: Mapping[str, Any]) -> Row:
    validation.known_keys(body, KEYS)
    if (body.get("suggestion") is None) == (body.get("assignments") is None):
        raise BadRequest("Give exactly one of suggestion and assignments")
    suggestion = None
    if body.get("suggestion") is not None:
        suggestion = _suggestion(connection, experiment, body["suggestion"])
        point = suggestion["assignments"]
    else:
        point = assignments.checked(experiment["body"], body["assignments"])
    task = tasks.task_named(experiment["body"].get("tasks"), body.get("task")) or (suggestion or {}).get("task")
    if task is None and experiment["body"].get("tasks"):
        raise BadRequest("An observation of an experiment with tasks needs a task or a suggestion")
    values = {
        "experiment": experiment["id"],
        "suggestion": suggestion["id"] if suggestion else None,
        "training_run": None,
        "assignments": point,
        **_measured(experiment, body),
        "created": now(),
        "deleted": False,
        "metadata": None if body.get("metadata") is None else validation.metadata(body["metadata"]),
        "task": task,
    }
    identifier = add(connection, observations, values)
    if suggestion is not None:
        change(connection, suggestions, suggestion["id"], {"state": "closed"})
    return {"id": identifier, **values}


def _changes(connection: Connection, experiment: Row, body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that an update changes."""
    values: dict[str, Any] = {}
    if body.get("suggestion") is not None and body.get("assignments") is not None:
        raise BadRequest("Give at most one of suggestion and assignments")
    if body.get("suggestion") is not None:
        suggestion = _suggestion(connection, experiment, body["suggestion"])
        values.update({"suggestion": suggestion["id"], "assignments": suggestion["assignments"]})
    if body.get("assignments") is not None:  # what was measured elsewhere is no longer an answer to the suggestion
        values.update({"suggestion": None, "assignments": assignments.checked(experiment["body"], body["assignments"])})
    if any(body.get(key) is not None for key in ("values", "value", "failed")):
        values.update(_measured(experiment, body))
    if body.get("metadata") is not None:
        values["metadata"] = validation.metadata(body["metadata"])
    if (task := tasks.task_named(experiment["body"].get("tasks"), body.get("task"))) is not None:
        values["task"] = task
    return values


def _suggestion(connection: Connection, experiment: Row, identifier: Any) -> Row:
    suggestion = find(connection, suggestions, identifier)
    if suggestion["experiment"] != experiment["id"]:
        raise NotFound("suggestion", identifier)
    return suggestion


def _measured(experiment: Row, body: Mapping[str, Any]) -> dict[str, Any]:
    """`failed` and `values` of an observation's body, checked against each other and against the metrics."""
    names = [one["name"] for one in experiment["body"]["metrics"]]
    failed = body.get("failed") or False
    if not isinstance(failed, bool):
        raise BadRequest(f"Invalid type for .failed: {validation.excerpt(failed)} - expected type boolean")
    given = body.get("values")
    if given is not None and body.get("value") is not None:
        raise BadRequest("Give at most one of value and values")
    if given is None and body.get("value") is not None:
        given = [{"value": body["value"], "value_stddev": body.get("value_stddev")}]
    if failed:
        if given:
            raise BadRequest("A failed observation has no values")
        return {"failed": True, "values": []}
    if given is None:
        raise BadRequest(f'Missing required json key "values" in: {validation.excerpt(dict(body))}')
    values = validation.evaluations(given, names)
    if missing := [name for name in names if name not in {one["name"] for one in values}]:
        raise BadRequest(f"Missing values for the metrics: {', '.join(missing)}")
    return {"failed": False, "values": values}


PATH = "/experiments/{experiment}/observations"
ROUTES = [
    ("POST", PATH, create),
    ("POST", PATH + "/batch", create_batch),
    ("PUT", PATH + "/{id}", put),
    *collection(PATH, observations, serializers.observation),
]
