"""Suggestions of the core API: the next point to try, one of the caller's own, and those queued to be given out before any other."""

from typing import Any

from sqlalchemy import Connection

from trialflow.service import assignments, serializers, tasks, validation
from trialflow.service.errors import BadRequest
from trialflow.service.routes.collections import collection, core_experiment, mine
from trialflow.service.store import experiments as store
from trialflow.service.store.rows import Row, add, change, now
from trialflow.service.store.schema import queued_suggestions, suggestions
from trialflow.service.transport import Answer, Call

STATES = ("open", "closed")


async def create(call: Call) -> Answer:
    """POST /experiments/{experiment}/suggestions: the next point to try, or an explicit one."""
    validation.known_keys(call.body, ("assignments", "metadata", "task", "object"))
    experiment = await call.service.store.do(lambda connection: core_experiment(connection, call))
    if experiment["state"] != "active":
        raise BadRequest(f"Experiment {experiment['id']} is archived: it gives no suggestions")
    given = call.body.get("assignments")
    metadata = None if call.body.get("metadata") is None else validation.metadata(call.body["metadata"])
    choices = experiment["body"].get("tasks")
    task, full = tasks.task_named(choices, call.body.get("task")), tasks.task_costing(choices, 1.0) if choices else None
    async with call.service.advisor.turn(experiment["id"]):
        if given:
            found = {"assignments": assignments.checked(experiment["body"], given), "method": "explicit", "task": task or full}
        else:
            found = await call.service.advisor.suggest(experiment)
            found = {**found, "task": task or found["task"] or full}
        values = {"experiment": experiment["id"], **found, "state": "open", "created": now(), "deleted": False, "metadata": metadata}
        identifier = await call.service.store.do(lambda connection: add(connection, suggestions, values))
    call.service.advisor.prepare(experiment["id"])
    return serializers.suggestion({"id": identifier, **values})


async def put(call: Call) -> Answer:
    """PUT /experiments/{experiment}/suggestions/{id}: its metadata, or its state."""
    validation.known_keys(call.body, ("metadata", "state", "object"))
    values: dict[str, Any] = {}
    if call.body.get("metadata") is not None:
        values["metadata"] = validation.metadata(call.body["metadata"])
    if call.body.get("state") is not None:
        values["state"] = _state(call.body["state"])

    def write(connection: Connection) -> Row:
        row = mine(connection, call, suggestions, core_experiment(connection, call))
        if values:
            change(connection, suggestions, row["id"], values)
        return {**row, **values}

    return serializers.suggestion(await call.service.store.do(write))


async def create_queued(call: Call) -> Answer:
    """POST /experiments/{experiment}/queued_suggestions: a point to be given out before any other."""
    validation.known_keys(call.body, ("assignments", "task", "object"))

    def write(connection: Connection) -> Row:
        experiment = store.get(connection, call.path["experiment"])
        given = assignments.checked(experiment["body"], call.body.get("assignments"))
        task = tasks.task_named(experiment["body"].get("tasks"), call.body.get("task"))
        values = {"experiment": experiment["id"], "assignments": given, "created": now(), "task": task}
        return {"id": add(connection, queued_suggestions, values), **values}

    return serializers.queued_suggestion(await call.service.store.do(write))


def _state(given: Any) -> str:
    if given not in STATES:
        raise BadRequest(f"{validation.excerpt(given)} is not one of the allowed values: {', '.join(STATES)}")
    return given


def _of_state(call: Call) -> Any:
    state = call.query.get("state")
    return None if state is None else suggestions.c.state == _state(state)


PATH, QUEUED = "/experiments/{experiment}/suggestions", "/experiments/{experiment}/queued_suggestions"
ROUTES = [
    ("POST", PATH, create),
    ("PUT", PATH + "/{id}", put),
    *collection(PATH, suggestions, serializers.suggestion, narrowed=_of_state),
    ("POST", QUEUED, create_queued),
    *collection(QUEUED, queued_suggestions, serializers.queued_suggestion, only_core=False),
]
