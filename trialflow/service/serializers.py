"""Rows as the API shows them: ids are decimal strings, every object says what it is, lists come in pages."""

from collections.abc import Mapping, Sequence
from typing import Any

CLIENT = USER = ORGANIZATION = "1"
Row = Mapping[str, Any]


def text_id(identifier: int | None) -> str | None:
    """An id as the API shows it."""
    return None if identifier is None else str(identifier)


def pagination(data: Sequence[Any], *, count: int, before: str | None = None, after: str | None = None, **more: Any) -> dict[str, Any]:
    """One page."""
    return {"object": "pagination", "data": list(data), "count": count, "paging": {"before": before, "after": after}, **more}


def token(value: str) -> dict[str, Any]:
    """The one token there is."""
    return {
        "object": "token",
        "token": value,
        "token_type": "client-api",
        "client": CLIENT,
        "organization": ORGANIZATION,
        "user": USER,
        "experiment": None,
        "training_run": None,
        "all_experiments": True,
        "development": False,
        "permissions": "write",
        "scope": None,
        "expires": None,
        "lease_length": None,
    }


def client() -> dict[str, Any]:
    """The one client there is."""
    return {"object": "client", "id": CLIENT, "name": "trialflow", "organization": ORGANIZATION, "created": 0}


def organization() -> dict[str, Any]:
    """The one organization there is."""
    return {"object": "organization", "id": ORGANIZATION, "name": "trialflow"}


def project(row: Row) -> dict[str, Any]:
    """A project."""
    times = {"created": row["created"], "updated": row["updated"], "deleted": False}
    return {"object": "project", "id": row["id"], "name": row["name"], "client": CLIENT, "user": USER, "metadata": row["metadata"], **times}


def training_run(row: Row) -> dict[str, Any]:
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
        "values": {name: {"object": "metric_evaluation", "name": name, "value_stddev": None, **value} for name, value in data["values"].items()},
        "metadata": data["metadata"],
        "sys_metadata": data["sys_metadata"],
        "dev_metadata": data["dev_metadata"],
        "datasets": data["datasets"],
        "logs": data["logs"],
        "model": {"type": None, **data["model"]},
        "source_code": {"hash": None, "content": None, **data["source_code"]},
        "files": data.get("files") or [],
        "tags": data.get("tags") or {},
        "favorite": data.get("favorite", False),
        "checkpoint_count": row["checkpoint_count"],
        "optimized_suggestion": bool(row["suggestion"]),
        "created": row["created"],
        "updated": row["updated"],
        "completed": row["completed"],
        "finished": row["completed"] is not None,
        "deleted": row["deleted"],
    }


def checkpoint(row: Row) -> dict[str, Any]:
    """A checkpoint."""
    return {
        "object": "checkpoint",
        "id": str(row["id"]),
        "training_run": str(row["training_run"]),
        "created": row["created"],
        "values": [{"object": "metric_evaluation", "value_stddev": None, **value} for value in row["values"]],
        "metadata": row["metadata"] or {},
    }


def suggestion(row: Row) -> dict[str, Any]:
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


def queued_suggestion(row: Row) -> dict[str, Any]:
    """A suggestion that waits to be given out."""
    kept = {"assignments": row["assignments"], "created": row["created"], "task": task(row["task"])}
    return {"object": "queued_suggestion", "id": str(row["id"]), "experiment": str(row["experiment"]), **kept}


def observation(row: Row) -> dict[str, Any]:
    """An observation of the core API."""
    values = [{"object": "metric_evaluation", "value_stddev": None, **value} for value in row["values"]]
    return {
        "object": "observation",
        "id": str(row["id"]),
        "experiment": str(row["experiment"]),
        "suggestion": text_id(row["suggestion"]),
        "assignments": row["assignments"],
        "failed": row["failed"],
        "values": values,
        "value": values[0]["value"] if len(values) == 1 else None,
        "value_stddev": values[0]["value_stddev"] if len(values) == 1 else None,
        "created": row["created"],
        "deleted": row["deleted"],
        "metadata": row["metadata"],
        "task": task(row["task"]),
    }


def experiment(row: Row, progress: Mapping[str, Any]) -> dict[str, Any]:
    """An AI experiment, or a core one in its own words."""
    body = row["body"]
    shown = {
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
        "metrics": sorted((metric(one) for one in body["metrics"]), key=lambda one: one["name"] or ""),
        "conditionals": [{"object": "conditional", **one} for one in body.get("conditionals") or []],
        "linear_constraints": [_constraint(one) for one in body.get("linear_constraints") or []],
        "progress": dict(progress),
    }
    if row["kind"] == "ai":
        return {**shown, "runs_only": True, "budget": body.get("budget")}
    core = {"observation_budget": body.get("budget"), "development": False, "runs_only": False, "metric": shown["metrics"][0]}
    return {**shown, **core, **({"tasks": [task(one) for one in body["tasks"]]} if body.get("tasks") else {})}


def task(one: Row | None) -> dict[str, Any] | None:
    """A task, or none."""
    return None if one is None else {"object": "task", **one}


def parameter(one: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter, with everything that it does not have as null."""
    categories = one.get("categorical_values")
    bounds = one.get("bounds")
    if bounds is None and one.get("grid"):
        bounds = {"min": min(one["grid"]), "max": max(one["grid"])}
    named = [{"object": "categorical_value", "name": name, "enum_index": index} for index, name in enumerate(categories or [], 1)]
    return {
        "object": "parameter",
        "name": one["name"],
        "type": one["type"],
        "bounds": bounds and {"object": "bounds", **bounds},
        "grid": one.get("grid"),
        "categorical_values": named if categories else None,
        "transformation": one.get("transformation") or "none",
        "prior": one.get("prior") and {"object": "prior", **one["prior"]},
        "default_value": one.get("default_value"),
        "conditions": one.get("conditions") or {},
    }


def metric(one: Mapping[str, Any]) -> dict[str, Any]:
    """A metric."""
    return {
        "object": "metric",
        "name": one["name"],
        "objective": one.get("objective") or "maximize",
        "strategy": one.get("strategy") or "optimize",
        "threshold": one.get("threshold"),
    }


def _constraint(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"object": "linear_constraint", **one, "terms": [{"object": "term", **term} for term in one["terms"]]}


def best_assignments(row: Row) -> dict[str, Any]:
    """Assignments that nothing observed is better than."""
    shown = observation(row)
    kept = {key: shown[key] for key in ("id", "assignments", "values", "value", "value_stddev", "metadata")}
    return {"object": "best_assignments", **kept}


def file(row: Row, link: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A file with where to upload it or download it from."""
    kept = {key: row[key] for key in ("name", "filename", "content_length", "content_type", "content_md5")}
    return {"object": "file", "id": str(row["id"]), "client": CLIENT, "user": USER, "created": int(row["created"]), **kept, kind: dict(link)}
