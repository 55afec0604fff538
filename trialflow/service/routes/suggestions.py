"""Suggestions of the core API: the next point to try, one of the caller's own, and those queued to be given out before any other."""

from typing import Any

from sqlalchemy import Connection, true

from trialflow.service import assignments, multitask, serializers, validation
from trialflow.service.requests import Call
from trialflow.service.routes.collections import collection, core_experiment, mine
from trialflow.service.store import experiments as store
from trialflow.service.store.rows import Row, add, change, now
from trialflow.service.store.schema import queued_suggestions, suggestions
from trialflow.service.transport import Answer

STATES = ("open", "closed")


async def create(call: Call) -> Answer:
    """POST /experiments/{experiment}/suggestions: the next point to try, or an explicit one."""
    validation.known_keys(call.body, ("assignments", "metadata", "task", "object"))
    experiment = await call.do(lambda connection: core_experiment(connection, call))
    store.check_active(experiment)
    given = call.body.get("assignments")
    metadata = validation.metadata(call.body.get("metadata"))
    choices = experiment["body"].get("tasks")
    task, full = multitask.find_task(choices, call.body.get("task")), multitask.task_with_cost(choices, 1.0) if choices else None
    async with call.service.suggester.lock(experiment["id"]):
        if given:
            found = {"assignments": assignments.checked(experiment["body"], given), "method": "explicit", "task": task or full}
        else:
            found = await call.service.suggester.suggest(experiment)
            found = {**found, "task": task or found["task"] or full}
        values = {"experiment": experiment["id"], **found, "state": "open", "created": now(), "deleted": False, "metadata": metadata}
        identifier = await call.do(lambda connection: add(connection, suggestions, values))
    call.service.suggester.prepare(experiment["id"])
    return serializers.suggestion({"id": identifier, **values})


async def put(call: Call) -> Answer:
    """PUT /experiments/{experiment}/suggestions/{id}: its metadata, or its state."""
    validation.known_keys(call.body, ("metadata", "state", "object"))
    values: dict[str, Any] = {}
    if "metadata" in call.body:
        values["metadata"] = validation.metadata(call.body["metadata"])
    if call.body.get("state") is not None:
        values["state"] = validation.one_of(call.body["state"], STATES)

    def write(connection: Connection) -> Row:
        row = mine(connection, call, suggestions, core_experiment(connection, call))
        if values:
            change(connection, suggestions, row["id"], values)
        return {**row, **values}

    return serializers.suggestion(await call.do(write))


async def create_queued(call: Call) -> Answer:
    """POST /experiments/{experiment}/queued_suggestions: a point to be given out before any other."""
    validation.known_keys(call.body, ("assignments", "task", "object"))

    def write(connection: Connection) -> Row:
        experiment = store.get(connection, call.path["experiment"])
        store.check_active(experiment)
        given = assignments.checked(experiment["body"], call.body.get("assignments"))
        task = multitask.find_task(experiment["body"].get("tasks"), call.body.get("task"))
        values = {"experiment": experiment["id"], "assignments": given, "created": now(), "task": task}
        return {"id": add(connection, queued_suggestions, values), **values}

    return serializers.queued_suggestion(await call.do(write))


def _narrowed(call: Call) -> Any:
    """The condition of `state` and of `id`, which may be several separated by commas."""
    condition, state, ids = true(), call.query.get("state"), call.query.get("id")
    if state is not None:
        condition &= suggestions.c.state == validation.one_of(state, STATES)
    if ids is not None:
        condition &= suggestions.c.id.in_([validation.integer(one.strip(), ".id") for one in str(ids).split(",")])
    return condition


PATH, QUEUED = "/experiments/{experiment}/suggestions", "/experiments/{experiment}/queued_suggestions"
ROUTES = [
    ("POST", PATH, create),
    ("PUT", PATH + "/{id}", put),
    *collection(PATH, suggestions, serializers.suggestion, narrowed=_narrowed),
    ("POST", QUEUED, create_queued),
    *collection(QUEUED, queued_suggestions, serializers.queued_suggestion, only_core=False),
]
