"""What an experiment is made of, from the body of a request: when it is created and when it is updated. AI and core experiments. Pure.

Both are kept in the form that `experiment.yml` has too. A core experiment calls its budget `observation_budget`, may leave out the names of its
metrics, and may have tasks.
"""

import math
from collections.abc import Mapping
from typing import Any

from trialflow.service import multitask, validation
from trialflow.service.errors import BadRequest
from trialflow.specs import check_update, validate_experiment_body

Body = Mapping[str, Any]
DEFAULT_METRIC = "metric"
"""The name of a metric that was created without one."""
READ_ONLY = ("development", "progress", "runs_only", "client", "created", "id", "updated", "user")
"""Keys that clients send back as they were answered, and that change nothing."""


def without_tags(value: Any) -> Any:
    """A body without the `object` keys that clients send back."""
    if isinstance(value, dict):
        return {key: without_tags(one) for key, one in value.items() if not (key == "object" and isinstance(one, str))}
    return [without_tags(one) for one in value] if isinstance(value, list) else value


def ai_body(given: Body) -> dict[str, Any]:
    """The body of a new AI experiment. Raises `InvalidInput`."""
    return _validated(_tidied(without_tags(given)))


def core_body(given: Body) -> dict[str, Any]:
    """The body of a new core experiment. Raises `InvalidInput` or `BadRequest`."""
    body = {key: value for key, value in _tidied(without_tags(given)).items() if value is not None and key not in ("development", "project")}
    if body.pop("runs_only", False):
        raise BadRequest("runs_only experiments are created as AI experiments")
    if "observation_budget" in body:
        body["budget"] = body.pop("observation_budget")
    if "metric" in body:
        body.setdefault("metrics", [body.pop("metric")])
    metrics = body.get("metrics")
    if metrics is None or isinstance(metrics, list):
        named = [{"name": one} if isinstance(one, str) else one for one in metrics or [{}]]
        body["metrics"] = [{**one, "name": one.get("name") or DEFAULT_METRIC} if isinstance(one, dict) else one for one in named]
    return _core_validated(body)


def updated_ai(body: Body, fields: Body) -> dict[str, Any]:
    """An AI experiment's body after an update. Raises `InvalidInput` for what cannot change."""
    return _updated(body, _completed(body, fields))


def updated_core(body: Body, fields: Body) -> dict[str, Any]:
    """A core experiment's body after an update. Raises `InvalidInput` or `BadRequest` for what cannot change."""
    given = {key: value for key, value in fields.items() if key not in READ_ONLY}
    if "observation_budget" in given:
        given["budget"] = given.pop("observation_budget")
    if (metric := given.pop("metric", None)) is not None:
        given.setdefault("metrics", [metric])
    given = _completed(body, given)
    if "tasks" in given and (given.pop("tasks") or []) != (body.get("tasks") or []):
        raise BadRequest("tasks cannot be changed once the experiment exists")
    if not body.get("tasks"):
        return _updated(body, given)
    kept = {key: value for key, value in body.items() if key not in ("tasks", "budget")}
    budget = given.pop("budget", body["budget"])
    return _core_validated({**(_updated(kept, given) if given else kept), "tasks": body["tasks"], "budget": budget})


def _validated(body: Body) -> dict[str, Any]:
    return _without_null_metadata(validate_experiment_body(body).to_api())


def _updated(body: Body, fields: Body) -> dict[str, Any]:
    return _without_null_metadata(check_update(validate_experiment_body(body), dict(fields)).to_api())


def _core_validated(body: Body) -> dict[str, Any]:
    """A core experiment's body, checked. With tasks, whose costs count, its budget may be fractional."""
    given = {key: value for key, value in body.items() if key != "tasks"}
    if not body.get("tasks"):
        return _validated(given)
    tasks, budget = multitask.validated_tasks(body["tasks"]), given.pop("budget", None)
    if budget is not None and (budget := validation.finite(budget, ".observation_budget")) <= 0:
        raise BadRequest(f".observation_budget must be above 0, not {budget}")
    whole = {} if budget is None else {"budget": math.ceil(budget)}  # the other rules about budgets are about whole observations
    kept = {**_validated({**given, **whole}), "tasks": tasks, **({} if budget is None else {"budget": budget})}
    multitask.check_multitask(kept)
    return kept


def _without_null_metadata(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("metadata"):
        body["metadata"] = validation.metadata(body["metadata"])
    return body


def _completed(body: Body, fields: Body) -> dict[str, Any]:
    """An update's fields in which known parameters have what was not sent of them, and the only metric its name."""
    given = _tidied(fields)
    if not isinstance(given.pop("no_optimize", False), bool):
        raise BadRequest("Invalid type for .no_optimize - expected type boolean")
    if isinstance(given.get("parameters"), list):
        known = {one["name"]: one for one in body["parameters"]}
        given["parameters"] = [_parameter(known, one) if isinstance(one, dict) else one for one in given["parameters"]]
    metrics = given.get("metrics")
    if isinstance(metrics, list) and len(metrics) == len(body["metrics"]) == 1 and isinstance(metrics[0], dict) and not metrics[0].get("name"):
        given["metrics"] = [{**metrics[0], "name": body["metrics"][0]["name"]}]
    return given


def _parameter(known: Mapping[Any, Body], given: dict[str, Any]) -> dict[str, Any]:
    name = given.get("name")
    before = dict(known.get(name, {})) if isinstance(name, str) else {}
    for values, other in (("grid", "bounds"), ("bounds", "grid")):
        if given.get(values) is not None and given.get(other) is None:
            before.pop(other, None)
    return {**before, **given}


def _tidied(fields: Body) -> dict[str, Any]:
    """Fields whose grids are sorted, and have no bounds beside them that only repeat their ends, as the API answers them."""
    if not isinstance(fields.get("parameters"), list):
        return dict(fields)
    return {**fields, "parameters": [_tidied_parameter(one) if isinstance(one, dict) else one for one in fields["parameters"]]}


def _tidied_parameter(one: dict[str, Any]) -> dict[str, Any]:
    grid = one.get("grid")
    if not isinstance(grid, list) or not grid or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in grid):
        return one
    tidied = {**one, "grid": sorted(grid)}
    if one.get("bounds") == {"min": min(grid), "max": max(grid)}:
        del tidied["bounds"]
    return tidied
