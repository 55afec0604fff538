"""Everything of one experiment or one training run on a cluster, for programs and for people."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trialflow.cli.cluster import tables
from trialflow.home import Home
from trialflow.results import facts
from trialflow.results.text import duration, table, text_of

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient
    from tasks.kubernetes.client.connection import Connection
    from tasks.operations.targets import Target

Details = tuple[dict[str, Any], str, list[str]]
"""Facts for programs, text for people, and names."""
LAST_EVENTS = 8


async def experiment_details(home: Home, client: "ServiceClient", target: "Target", width: int | None) -> Details:
    """An experiment with its training runs that are on the cluster or active. What has ended is in the service alone."""
    from tasks.operations.workers import who_works

    experiment = target.experiment
    assert experiment is not None
    runs = await client.runs(experiment["project"], experiment_id=experiment["id"])
    best = await client.best_runs(experiment["id"])
    worker = await who_works(home, client, experiment)
    by_name = {run["name"]: run for run in runs}
    row = tables.experiment_row(experiment, runs=runs, best=best, attempts=target.attempts, worker=worker)
    now = time.time()
    rows = [tables.attempt_row(one, by_name.get(one.training_run_name or ""), now=now) for one in target.attempts]
    here = {one.training_run_name for one in target.attempts}
    absent = [run for run in reversed(runs) if run["state"] == "active" and run["name"] not in here]
    rows += [tables.absent_row(run) for run in absent]
    listed = [tables.attempt_fact(one, by_name.get(one.training_run_name or "")) for one in target.attempts]
    data = {**experiment, "status": row[-1], "best": [facts.run_fact(run) for run in best], "training_runs": listed}
    parts = [table(tables.EXPERIMENT_COLUMNS, [row], width=width)]
    parts.append(table(tables.ATTEMPT_COLUMNS, rows, width=width) if rows else "nothing of it is on the cluster")
    names = [f"run/{run['id']}" for run in runs if run["name"] in here or run in absent]
    return data, "\n\n".join(parts), names


async def run_details(client: "ServiceClient", connection: "Connection", target: "Target", width: int | None) -> Details:
    """A training run: what the service knows of it, its attempts on the cluster, and of the last one the pod's conditions and events."""
    from tasks.kubernetes.jobs.pending import moment
    from tasks.kubernetes.jobs.workload import read_events

    run = await client.run(target.facts["id"])
    fact = facts.run_fact(run)
    attempts = [tables.attempt_fact(one, run) for one in target.attempts]
    last = target.attempts[-1] if target.attempts else None
    events: list[Mapping[str, Any]] = []
    conditions: list[dict[str, Any]] = []
    image = None
    if last is not None:
        things = [name for name in (last.pod, last.job if last.has_job else None) if name]
        for name in things:
            events += await read_events(connection, f"involvedObject.name={name}")
        conditions, image = await _pod(connection, last.pod) if last.pod else ([], None)
    events = sorted(events, key=moment)[-LAST_EVENTS:]
    told = [{"when": moment(one), "reason": one.get("reason"), "message": one.get("message")} for one in events]
    data = {**fact, "experiment": run.get("experiment"), "attempts": attempts, "image": image, "conditions": conditions, "events": told}
    return data, _run_text(data, target, width), [target.name]


async def _pod(connection: "Connection", name: str) -> tuple[list[dict[str, Any]], str | None]:
    from tasks.kubernetes.client.errors import Missing
    from tasks.kubernetes.client.requests import ask

    try:
        pod = await ask(connection, "GET", f"/api/v1/namespaces/{connection.namespace}/pods/{name}", what=f"read pod {name}")
    except Missing:
        return [], None
    said = pod.get("status", {}).get("conditions") or []
    kept = [{name: one[name] for name in ("type", "status", "reason", "message") if one.get(name)} for one in said]
    return kept, pod["spec"]["containers"][0]["image"]


def _state(data: Mapping[str, Any]) -> str:
    if data["stopped_early"]:
        return f"stopped early: {data['stopped_early']}"
    return data["state"] + (f": {data['reason']}" if data["reason"] and data["state"] == "failed" else "")


def _run_text(data: Mapping[str, Any], target: "Target", width: int | None) -> str:
    now = time.time()
    lines = [
        ("training run", f"{data['id']} {data['name']}"),
        ("experiment", data["experiment"] or "none"),
        ("state", _state(data)),
        ("attempt", str(data["attempt"]) + (f", lost {data['lost']} times, last: {data['reason']}" if data["lost"] else "")),
        ("assignments", text_of(data["assignments"])),
        ("metrics", text_of(data["values"])),
    ]
    for one in target.attempts:
        age = f" for {duration(now - one.since)}" if one.since is not None and one.is_under_way else ""
        where = f" on {one.node}" if one.node else ""
        lines.append((f"Job {one.job}", f"{one.phase}{age}{where}" + (f": {one.reason}" if one.reason else "")))
    if not target.attempts:
        lines.append(("on the cluster", "nothing"))
    if data["image"]:
        lines.append(("image", data["image"]))
    size = max(len(name) for name, _ in lines) + 2
    parts = ["\n".join(name.ljust(size) + text for name, text in lines)]
    if data["conditions"]:
        columns = ("CONDITION", "STATUS", "REASON")
        parts.append(table(columns, [[one["type"], one["status"], one.get("reason")] for one in data["conditions"]], width=None))
    if data["events"]:
        rows = [[one["when"], one["reason"], " ".join((one["message"] or "").split())] for one in data["events"]]
        parts.append(table(("WHEN", "EVENT", "MESSAGE"), rows, width=width))
    return "\n\n".join(parts)
