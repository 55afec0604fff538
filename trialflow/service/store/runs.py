"""Training runs in the store: create, merge, end, delete; and the observation that is made when one ends."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.merging import merged
from trialflow.service import validation
from trialflow.service.errors import BadRequest, Forbidden
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import checkpoints, observations, suggestions, training_runs

MAPS = ("assignments", "values", "metadata", "sys_metadata", "dev_metadata", "datasets", "logs", "model", "source_code", "tags")
META = ("assignments_meta", "assignments_sources")
COUNTED = ("metadata", "dev_metadata")
MOST_CHECKPOINTS = 200


def create(connection: Connection, *, project: str, experiment: Row | None, body: Mapping[str, Any], suggestion: Mapping[str, Any] | None) -> Row:
    """A new training run from a checked body; with the suggestion (assignments, method) that it executes."""
    moment = now()
    data: dict[str, Any] = {key: dict(body.get(key) or {}) for key in (*MAPS, *META)}
    data["favorite"] = bool(body.get("favorite"))
    if suggestion is not None:
        data["assignments"] = {**data["assignments"], **suggestion["assignments"]}
    _check_meta(data, body)
    if suggestion is not None and suggestion["method"] != "explicit":
        data["assignments_meta"] = {**data["assignments_meta"], **{name: {"source": validation.OWN_SOURCE} for name in suggestion["assignments"]}}
        data["assignments_sources"] = {**data["assignments_sources"], validation.OWN_SOURCE: {"sort": 1, "default_show": True}}
    row: Row = {
        "project": project,
        "experiment": experiment["id"] if experiment else None,
        "name": body["name"],
        "state": "active",
        "created": moment,
        "updated": moment,
        "completed": None,
        "deleted": False,
        "suggestion": None,
        "observation": None,
        "checkpoint_count": 0,
        "data": data,
    }
    row["id"] = add(connection, training_runs, row)
    if suggestion is not None and experiment is not None:
        row["suggestion"] = _add_suggestion(connection, experiment["id"], row["id"], suggestion, moment)
        change(connection, training_runs, row["id"], {"suggestion": row["suggestion"]})
    if (state := body.get("state") or "active") != "active":
        row = _end(connection, row, state)
        change(connection, training_runs, row["id"], {key: row[key] for key in ("state", "completed", "observation")})
    return row


def _check_meta(data: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Refuse what a body says about assignments that the training run does not have."""
    if unknown := [name for name, meta in (body.get("assignments_meta") or {}).items() if meta is not None and name not in data["assignments"]]:
        raise BadRequest(f"assignments_meta names {', '.join(unknown)}, which are no assignments of this training run")


def _add_suggestion(connection: Connection, experiment: int, run: int, suggestion: Mapping[str, Any], moment: int) -> int:
    values = {
        "experiment": experiment,
        "training_run": run,
        "assignments": dict(suggestion["assignments"]),
        "state": "open",
        "method": suggestion["method"],
        "created": moment,
        "deleted": False,
    }
    return add(connection, suggestions, values)


def get(connection: Connection, identifier: str | int) -> Row:
    """One training run."""
    return find(connection, training_runs, identifier)


def merge(connection: Connection, identifier: str, body: Mapping[str, Any], *, replace: bool = False) -> Row:
    """Merge a checked body into a training run (null deletes a key), or `replace` the maps that it has. Ends it if the body says so."""
    row = get(connection, identifier)
    data = dict(row["data"])
    for key, value in body.items():
        if key in MAPS or key in META:
            data[key] = dict(value or {}) if replace else merged(data.get(key) or {}, value or {})
            if key in COUNTED:
                validation.count(data[key], f".{key}")
        elif key == "favorite":
            data[key] = bool(value)
    _check_meta(data, body)
    values: Row = {"data": data, "updated": now()}
    if body.get("name") is not None:
        values["name"] = body["name"]
    row = {**row, **values}
    if (state := body.get("state")) is not None and state != row["state"]:
        row = _end(connection, row, state)
        values.update({key: row[key] for key in ("state", "completed", "observation")})
    change(connection, training_runs, row["id"], values)
    if body.get("deleted") is not None and bool(body["deleted"]) != row["deleted"]:
        row = set_deleted(connection, row, bool(body["deleted"]))
    return row


def _end(connection: Connection, row: Row, state: str) -> Row:
    """A training run in its new state; when it ends for the first time its observation is made, which nothing changes later."""
    row = {**row, "state": state}
    if state == "active" or row["completed"] is not None:
        return row
    row["completed"] = now()
    if row["experiment"] is None or row["suggestion"] is None or row["observation"] is not None:
        return row
    experiment = experiment_store.get(connection, row["experiment"])
    values = row["data"]["values"]
    names = [metric["name"] for metric in experiment["body"]["metrics"]]
    failed = state == "failed" or any(name not in values for name in names)
    assignments = connection.execute(select(suggestions.c.assignments).where(suggestions.c.id == row["suggestion"])).scalar_one()
    observation = {
        "experiment": row["experiment"],
        "suggestion": row["suggestion"],
        "training_run": row["id"],
        "assignments": assignments,
        "values": [] if failed else [{"name": name, **values[name]} for name in names],
        "failed": failed,
        "created": row["completed"],
        "deleted": row["deleted"],
    }
    row["observation"] = add(connection, observations, observation)
    change(connection, suggestions, row["suggestion"], {"state": "closed"})
    return row


def set_deleted(connection: Connection, row: Row, deleted: bool) -> Row:
    """Hide a training run with its suggestion and observation, or bring them back."""
    change(connection, training_runs, row["id"], {"deleted": deleted, "updated": now()})
    if row["suggestion"] is not None:
        connection.execute(update(suggestions).where(suggestions.c.id == row["suggestion"]).values(deleted=deleted))
    if row["observation"] is not None:
        connection.execute(update(observations).where(observations.c.id == row["observation"]).values(deleted=deleted))
        experiment_store.touch_history(connection, row["experiment"])
    return {**row, "deleted": deleted}


def add_checkpoint(connection: Connection, identifier: str, values: list, metadata: Mapping[str, Any] | None) -> Row:
    """Append a checkpoint. Raises `Forbidden` beyond 200 of them or once the training run is observed."""
    row = get(connection, identifier)
    if row["observation"] is not None:
        raise Forbidden("No checkpoint can be added to a training run that has ended")
    if row["checkpoint_count"] >= MOST_CHECKPOINTS:
        raise Forbidden(f"A training run has at most {MOST_CHECKPOINTS} checkpoints")
    checkpoint = {"training_run": row["id"], "values": values, "metadata": dict(metadata or {}), "created": now()}
    checkpoint["id"] = add(connection, checkpoints, checkpoint)
    change(connection, training_runs, row["id"], {"checkpoint_count": row["checkpoint_count"] + 1})
    return checkpoint


def check_open(experiment: Row) -> None:
    """Raise `BadRequest` for an experiment that is archived."""
    if experiment["state"] != "active":
        raise BadRequest(f"Experiment {experiment['id']} is archived: it takes no new training runs")


def count(connection: Connection, wanted: Any) -> int:
    """How many training runs match."""
    return connection.execute(select(func.count()).select_from(training_runs).where(wanted)).scalar_one()
