"""Training runs in the store: create, merge, end, delete; and the observation that is made when one ends."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from trialflow.merging import merged
from trialflow.metadata_keys import KNOWN, STOPPED_EARLY
from trialflow.service import validation
from trialflow.service.errors import BadRequest, Forbidden, NotFound
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import projects as project_store
from trialflow.service.store.known import earlier_task
from trialflow.service.store.rows import Row, add, change, find, now
from trialflow.service.store.schema import checkpoints, files, observations, suggestions, training_runs

MAPS = ("assignments", "values", "metadata", "sys_metadata", "dev_metadata", "datasets", "logs", "model", "source_code")
META = ("assignments_meta", "assignments_sources")
COUNTED = ("metadata", "dev_metadata")
MOST_CHECKPOINTS = 200


def create(
    connection: Connection,
    *,
    project: str,
    experiment: Row | None,
    body: Mapping[str, Any],
    suggestion: Mapping[str, Any] | None,
    worker: int | None = None,
) -> Row:
    """A new training run from a checked body, executed by the `worker` with that id.

    `suggestion` is the one that it executes: `assignments`, `method`, and `id` if it exists already.
    """
    moment = now()
    _check_project(connection, body, project)
    data: dict[str, Any] = {key: merged({}, body.get(key) or {}) for key in (*MAPS, *META)}
    data["favorite"] = bool(body.get("favorite"))
    data["tags"] = list(body.get("tags") or [])
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
        "worker": worker,
        "data": data,
    }
    row["id"] = add(connection, training_runs, row)
    if suggestion is not None and experiment is not None:
        if (known := suggestion.get("id")) is not None:
            change(connection, suggestions, known, {"training_run": row["id"]})
        row["suggestion"] = known or _add_suggestion(connection, experiment["id"], row["id"], suggestion, moment)
        change(connection, training_runs, row["id"], {"suggestion": row["suggestion"]})
    if (state := body.get("state") or "active") != "active":
        row = _end(connection, row, state)
        change(connection, training_runs, row["id"], {key: row[key] for key in ("state", "completed", "observation")})
    return row


def create_plain(connection: Connection, project: str, body: Mapping[str, Any]) -> Row:
    """A new training run of a project. If its body names a suggestion it executes that one, and belongs to the suggestion's experiment."""
    if body.get("suggestion") is None:
        return create(connection, project=project, experiment=None, body=body, suggestion=None)
    try:
        suggestion = find(connection, suggestions, body["suggestion"])
    except NotFound as missing:
        raise BadRequest(missing.message) from None
    experiment = experiment_store.get(connection, suggestion["experiment"])
    experiment_store.check_active(experiment)
    if suggestion["deleted"] or suggestion["state"] != "open" or suggestion["training_run"] is not None:
        raise BadRequest(f"Suggestion {suggestion['id']} is not open for a training run")
    if experiment["project"] != project:
        raise BadRequest(f"Suggestion {suggestion['id']} belongs to an experiment of the project {experiment['project']}")
    return create(connection, project=project, experiment=experiment, body=body, suggestion=suggestion)


def _check_project(connection: Connection, body: Mapping[str, Any], project: str) -> None:
    """Refuse a project in a body that does not exist, or is another one than the path's."""
    if body.get("project") is not None and project_store.named(connection, body["project"]) != project:
        raise BadRequest(f"Invalid value for .project: {validation.excerpt(body['project'])} - the path says {project}")


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
            data[key] = merged({} if replace else data.get(key) or {}, value or {})
            if key in COUNTED:
                validation.count(data[key], f".{key}")
        elif key == "favorite":
            data[key] = bool(value)
        elif key == "tags":
            data[key] = value
    _check_meta(data, body)
    values: Row = {"data": data, "updated": now()}
    if body.get("project") is not None and body["project"] != row["project"]:
        values["project"] = project_store.named(connection, body["project"])
        if row["experiment"] is not None:
            raise BadRequest(f"The training run belongs to experiment {row['experiment']}; move the experiment, and its training runs go with it")
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
    """A training run in its new state; when it ends for the first time its observation is made, which nothing changes later.

    The observation is a failure if a metric is missing. One that trialflow stopped early, or that is known from elsewhere, needs no stored metrics:
    it had no time to log them, or they did not matter there.
    """
    row = {**row, "state": state}
    if state == "active" or row["completed"] is not None:
        return row
    row["completed"] = now()
    if row["experiment"] is None:
        project_store.touch(connection, row["project"])
        return row
    experiment_store.touch(connection, row["experiment"])
    if row["suggestion"] is None or row["observation"] is not None:
        return row
    experiment = experiment_store.get(connection, row["experiment"])
    values, metrics = row["data"]["values"], experiment["body"]["metrics"]
    is_short = any(row["data"]["dev_metadata"].get(key) for key in (STOPPED_EARLY, KNOWN))
    required = [metric["name"] for metric in metrics if not (is_short and metric.get("strategy") == "store")]
    failed = state == "failed" or any(name not in values for name in required)
    row["observation"] = _observe(connection, row, metrics, failed=failed)
    return row


def _observe(connection: Connection, row: Row, metrics: list[Row], *, failed: bool) -> int:
    values = row["data"]["values"]
    suggestion = find(connection, suggestions, row["suggestion"])
    observation = {
        "experiment": row["experiment"],
        "suggestion": row["suggestion"],
        "training_run": row["id"],
        "assignments": suggestion["assignments"],
        "values": [] if failed else [{"name": one["name"], **values[one["name"]]} for one in metrics if one["name"] in values],
        "failed": failed,
        "created": row["completed"] or now(),
        "deleted": row["deleted"],
        "task": suggestion["task"] or earlier_task(row),
    }
    identifier = add(connection, observations, observation)
    change(connection, suggestions, row["suggestion"], {"state": "closed"})
    return identifier


def observation_of(connection: Connection, experiment: Row, identifier: int, *, failed: bool) -> Row:
    """The observation of a training run that executes a suggestion, as clients before 8 ask for it. One that has none yet gets it from its values.

    Raises `BadRequest` if it is no such training run, or lacks a metric and is not said to have `failed`.
    """
    try:
        row = get(connection, identifier)
    except NotFound as missing:
        raise BadRequest(missing.message) from None
    if row["experiment"] != experiment["id"] or row["suggestion"] is None:
        raise BadRequest(f"Training run {row['id']} executes no suggestion of experiment {experiment['id']}")
    if row["observation"] is None:
        metrics = experiment["body"]["metrics"]
        missing_metrics = [one["name"] for one in metrics if one["name"] not in row["data"]["values"]]
        if missing_metrics and not failed:
            raise BadRequest(f"Missing values for the metrics: {', '.join(missing_metrics)}")
        row["observation"] = _observe(connection, row, metrics, failed=failed)
        change(connection, training_runs, row["id"], {"observation": row["observation"]})
        experiment_store.touch(connection, experiment["id"])
    return find(connection, observations, row["observation"])


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


def add_file(connection: Connection, identifier: str, values: Mapping[str, Any], *, most: int | None = None) -> Row:
    """Announce a file of a training run. Raises `Forbidden` if its files would have more than `most` bytes together."""
    run = get(connection, identifier)
    if most is not None:
        held = connection.execute(select(func.sum(files.c.content_length)).where(files.c.training_run == run["id"])).scalar_one() or 0
        if held + values["content_length"] > most:
            raise Forbidden(f"The files that the model of a training run logs have at most {most} bytes together")
    row = {**values, "training_run": run["id"], "created": float(now()), "uploaded": False}
    row["id"] = add(connection, files, row)
    change(connection, training_runs, run["id"], {"data": {**run["data"], "files": [*(run["data"].get("files") or []), str(row["id"])]}})
    return row


def count(connection: Connection, wanted: Any) -> int:
    """How many training runs match."""
    return connection.execute(select(func.count()).select_from(training_runs).where(wanted)).scalar_one()
