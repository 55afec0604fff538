"""Experiments of the core API: create, read, list, update. Their suggestions and observations are made by the caller itself."""

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from trialflow.service import serializers, tasks, validation
from trialflow.service.errors import BadRequest
from trialflow.service.routes import experiments as ai
from trialflow.service.routes.projects import check_client
from trialflow.service.store import experiments as store
from trialflow.service.store import observations as observation_store
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import observations
from trialflow.service.transport import Answer, Call
from trialflow.specs import check_update, validate_experiment_body

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
    if budget is not None and validation.finite(budget, ".observation_budget") <= 0:
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
    found = {key: serializers.observation(find(connection, observations, one)) if one else None for key, one in (("first", first), ("last", last))}
    is_single = sum(one.get("strategy") in (None, "optimize") for one in row["body"]["metrics"]) == 1
    best = observation_store.best(observation_store.of_experiment(connection, row["id"]), row["body"]) if is_single else []
    progress.update({"first_observation": found["first"], "last_observation": found["last"]})
    progress["best_observation"] = serializers.observation(best[0]) if best else None
    return serializers.experiment(row, progress)


def _any(connection: Connection, row: Row) -> dict[str, Any]:
    return ai.shown(connection, row) if row["kind"] == "ai" else _shown(connection, row)


async def create(call: Call) -> Answer:
    """POST /experiments."""
    check_client(call)
    project = call.path.get("project") or call.body.get("project")
    body = validated(body_of(call.body))
    await call.service.advisor.ask("check_supported", body)
    return await call.service.store.do(lambda connection: _shown(connection, store.create(connection, kind="core", project=project, body=body)))


async def get(call: Call) -> Answer:
    """GET /experiments/{id}; an AI experiment is answered as such."""

    return await call.service.store.do(lambda connection: _any(connection, store.get(connection, call.path["id"])))


async def list_(call: Call) -> Answer:
    """GET .../experiments; AI experiments are among them if `include_ai` is asked for."""
    kinds = ("core", "ai") if call.query.get("include_ai") is True else ("core",)
    return await ai.page(call, kinds, _any)


async def put(call: Call) -> Answer:
    """PUT /experiments/{id}."""
    fields = dict(ai.without_tags(call.body))
    state = ai.state_of(fields.pop("state", None))
    if "observation_budget" in fields:
        fields["budget"] = fields.pop("observation_budget")

    def write(connection: Connection) -> dict:
        row = store.get(connection, call.path["id"])
        if row["kind"] == "core" and fields.pop("project", row["project"]) != row["project"]:
            raise BadRequest("project cannot be changed once the experiment exists")
        change = updated if row["kind"] == "core" else ai.updated
        body = change(row["body"], fields) if fields else row["body"]
        row = store.set_body(connection, row, body, state=state)
        return _any(connection, row)

    return await call.service.store.do(write)


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
]
