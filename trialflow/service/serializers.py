"""Rows as the API shows them: ids are decimal strings, every object names its kind, lists come in pages."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from trialflow import api_types as api

CLIENT = USER = ORGANIZATION = "1"
Row = Mapping[str, Any]
T = TypeVar("T")


def text_id(identifier: int | None) -> str | None:
    """An id as the API shows it."""
    return None if identifier is None else str(identifier)


def pagination(data: Iterable[T], *, count: int, before: str | None = None, after: str | None = None) -> api.Page[T]:
    """One page."""
    return {"object": "pagination", "data": list(data), "count": count, "paging": {"before": before, "after": after}}


def token(value: str, *, experiment: int | None = None, training_run: int | None = None) -> dict[str, Any]:
    """The token of the service; a guest's, which reads one experiment; or the one for the model of a training run."""
    is_for_model = training_run is not None
    is_guest = experiment is not None and not is_for_model
    return {
        "object": "token",
        "token": value,
        "token_type": "training-run" if is_for_model else "guest" if is_guest else "client-api",
        "client": CLIENT,
        "organization": ORGANIZATION,
        "user": None if is_guest else USER,
        "experiment": text_id(experiment),
        "training_run": text_id(training_run),
        "all_experiments": not is_guest and not is_for_model,
        "development": False,
        "permissions": "read" if is_guest else "write",
        "scope": None,
        "expires": None,
        "lease_length": None,
    }


def client(created: int) -> dict[str, Any]:
    """The only client."""
    return {"object": "client", "id": CLIENT, "name": "trialflow", "organization": ORGANIZATION, "created": created}


def organization() -> dict[str, Any]:
    """The only organization."""
    return {"object": "organization", "id": ORGANIZATION, "name": "trialflow"}


def project(row: Row) -> dict[str, Any]:
    """A project."""
    times = {"created": row["created"], "updated": row["updated"], "deleted": False}
    return {"object": "project", "id": row["id"], "name": row["name"], "client": CLIENT, "user": USER, "metadata": row["metadata"], **times}


def training_run(row: Row) -> api.TrainingRun:
    """A training run."""
    data = row["data"]
    return {
        "object": "training_run",
        "id": str(row["id"]),
        "name": row["name"],
        "state": row["state"],
        "project": row["project"],
        "client": CLIENT,
        "user": USER,
        "experiment": text_id(row["experiment"]),
        "suggestion": text_id(row["suggestion"]),
        "observation": text_id(row["observation"]),
        "assignments": data["assignments"],
        "assignments_meta": data.get("assignments_meta") or {},
        "assignments_sources": data.get("assignments_sources") or {},
        "values": {name: _evaluation(name, value) for name, value in data["values"].items()},
        "metadata": data["metadata"],
        "sys_metadata": data["sys_metadata"],
        "dev_metadata": data["dev_metadata"],
        "datasets": data["datasets"],
        "logs": data["logs"],
        "model": cast(api.ModelInfo, {"type": None, **data["model"]}),
        "source_code": cast(api.SourceCode, {"hash": None, "content": None, **data["source_code"]}),
        "files": data.get("files") or [],
        "tags": list(data.get("tags") or []),
        "favorite": data.get("favorite", False),
        "checkpoint_count": row["checkpoint_count"],
        "optimized_suggestion": bool(row["suggestion"]),
        "created": row["created"],
        "updated": row["updated"],
        "completed": row["completed"],
        "finished": row["completed"] is not None,
        "deleted": row["deleted"],
    }


def _evaluation(name: str, value: Row) -> api.MetricEvaluation:
    return {"object": "metric_evaluation", "name": name, "value": value["value"], "value_stddev": value.get("value_stddev")}


def checkpoint(row: Row) -> api.Checkpoint:
    """A checkpoint."""
    return {
        "object": "checkpoint",
        "id": str(row["id"]),
        "training_run": str(row["training_run"]),
        "created": row["created"],
        "values": [_evaluation(value["name"], value) for value in row["values"]],
        "metadata": row["metadata"] or {},
    }


def suggestion(row: Row) -> api.Suggestion:
    """A suggestion of the core API."""
    return {
        "object": "suggestion",
        "id": str(row["id"]),
        "experiment": str(row["experiment"]),
        "assignments": row["assignments"],
        "state": row["state"],
        "created": row["created"],
        "deleted": row["deleted"],
        "metadata": row["metadata"],
        "task": task(row["task"]),
    }


def queued_suggestion(row: Row) -> api.QueuedSuggestion:
    """A queued suggestion."""
    return {
        "object": "queued_suggestion",
        "id": str(row["id"]),
        "experiment": str(row["experiment"]),
        "assignments": row["assignments"],
        "created": row["created"],
        "task": task(row["task"]),
    }


def observation(row: Row) -> api.Observation:
    """An observation."""
    values = [_evaluation(value["name"], value) for value in row["values"]]
    only = values[0] if len(values) == 1 else None
    return {
        "object": "observation",
        "id": text_id(row["id"]),
        "experiment": str(row["experiment"]),
        "suggestion": text_id(row["suggestion"]),
        "assignments": row["assignments"],
        "failed": row["failed"],
        "values": values,
        "value": only.get("value") if only else None,
        "value_stddev": only.get("value_stddev") if only else None,
        "created": row["created"],
        "deleted": row["deleted"],
        "metadata": row["metadata"],
        "task": task(row["task"]),
    }


def experiment(row: Row, progress: api.Progress) -> api.Experiment:
    """An AI experiment, or a core one with its own field names."""
    body = row["body"]
    metrics = sorted((metric(one) for one in body["metrics"]), key=lambda one: one["name"] or "")
    shown: api.Experiment = {
        "object": "aiexperiment" if row["kind"] == "ai" else "experiment",
        "id": str(row["id"]),
        "name": row["name"],
        "client": CLIENT,
        "project": row["project"],
        "user": USER,
        "created": row["created"],
        "updated": row["updated"],
        "state": row["state"],
        "type": body.get("type") or "offline",
        "parallel_bandwidth": body.get("parallel_bandwidth"),
        "num_solutions": body.get("num_solutions"),
        "metadata": body.get("metadata"),
        "parameters": sorted((parameter(one) for one in body["parameters"]), key=lambda one: one["name"]),
        "metrics": metrics,
        "conditionals": [{"object": "conditional", **one} for one in body.get("conditionals") or []],
        "linear_constraints": [_constraint(one) for one in body.get("linear_constraints") or []],
        "progress": progress,
        "runs_only": row["kind"] == "ai",
    }
    if row["kind"] == "ai":
        shown["budget"] = body.get("budget")
        return shown
    shown["observation_budget"] = body.get("budget")
    shown["development"] = False
    shown["metric"] = metrics[0]
    if tasks := [found for one in body.get("tasks") or [] if (found := task(one)) is not None]:
        shown["tasks"] = tasks
    return shown


def task(one: Row | None) -> api.Task | None:
    """A task, or null."""
    return None if one is None else {"object": "task", "name": one["name"], "cost": one["cost"]}


def parameter(one: Row) -> api.Parameter:
    """A parameter; what it does not have is null."""
    categories = one.get("categorical_values")
    bounds = one.get("bounds")
    if bounds is None and one.get("grid"):
        bounds = {"min": min(one["grid"]), "max": max(one["grid"])}
    named: list[api.CategoricalValue] = [
        {"object": "categorical_value", "name": name, "enum_index": index} for index, name in enumerate(categories or [], 1)
    ]
    return {
        "object": "parameter",
        "name": one["name"],
        "type": one["type"],
        "bounds": {"object": "bounds", "min": bounds["min"], "max": bounds["max"]} if bounds else None,
        "grid": one.get("grid"),
        "categorical_values": named if categories else None,
        "transformation": one.get("transformation") or "none",
        "prior": one.get("prior") and {"object": "prior", **one["prior"]},
        "default_value": one.get("default_value"),
        "conditions": one.get("conditions") or {},
    }


def metric(one: Row) -> api.Metric:
    """A metric, with its defaults."""
    return {
        "object": "metric",
        "name": one["name"],
        "objective": one.get("objective") or "maximize",
        "strategy": one.get("strategy") or "optimize",
        "threshold": one.get("threshold"),
    }


def _constraint(one: Row) -> dict[str, Any]:
    return {"object": "linear_constraint", **one, "terms": [{"object": "term", **term} for term in one["terms"]]}


def best_assignments(row: Row) -> api.BestAssignments:
    """An observation that no other one beats."""
    shown = observation(row)
    return {
        "object": "best_assignments",
        "id": shown["id"],
        "assignments": shown["assignments"],
        "values": shown.get("values", []),
        "value": shown.get("value"),
        "value_stddev": shown.get("value_stddev"),
        "metadata": shown.get("metadata"),
    }


def upload(row: Row, link: Row) -> api.File:
    """An announced file with where to send it."""
    shown = _file(row)
    shown["upload"] = dict(link)
    return shown


def download(row: Row, link: Row) -> api.File:
    """A file with where to get it."""
    shown = _file(row)
    shown["download"] = dict(link)
    return shown


def _file(row: Row) -> api.File:
    return {
        "object": "file",
        "id": str(row["id"]),
        "client": CLIENT,
        "user": USER,
        "created": int(row["created"]),
        "name": row["name"],
        "filename": row["filename"],
        "content_length": row["content_length"],
        "content_type": row["content_type"],
        "content_md5": row["content_md5"],
    }
