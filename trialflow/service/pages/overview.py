"""The first page: projects, and experiments with their progress, their best, and a line of how they got there."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select
from starlette.requests import Request

from trialflow.results.best import best_text
from trialflow.results.facts import status_of
from trialflow.results.pictures.points import optimized_metrics
from trialflow.results.ranking import best_of, gain, is_within
from trialflow.results.spending import NodeUse, dollars, spent, uses_in
from trialflow.results.text import progress as progress_text
from trialflow.service import serializers
from trialflow.service.service import Service
from trialflow.service.store import experiments as store
from trialflow.service.store import projects as project_store
from trialflow.service.store.progress import progress
from trialflow.service.store.rows import Row
from trialflow.service.store.schema import experiments, observations, training_runs

PAGE = 30
WIDTH, HEIGHT = 120, 28


class Overview:
    """Reads the experiments of a page. What follows from observations is kept until the experiment changes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._kept: dict[int, tuple[tuple[int, int], dict[str, Any]]] = {}
        self._uses: dict[int, tuple[int, dict[int, list[NodeUse]]]] = {}

    async def of(self, request: Request) -> dict[str, Any]:
        """What the first page shows for an address."""
        query = request.query_params
        given = query.get("page", "1")
        number = max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 8 else 1
        project, state, search = query.get("project") or None, "all" if query.get("archived") else "active", query.get("search", "").strip()[:100]

        def read(connection: Connection) -> dict[str, Any]:
            wanted, count = store.listed(connection, kinds=("ai", "core"), project=project, state=state, search=search or None)
            recent = (experiments.c.updated.desc(), experiments.c.id.desc())
            chosen = select(experiments).where(wanted).order_by(*recent).limit(PAGE).offset((number - 1) * PAGE)
            rows = [dict(row) for row in connection.execute(chosen).mappings()]
            counts = dict(connection.execute(select(experiments.c.project, func.count()).group_by(experiments.c.project)).tuples().all())
            named = [{**row, "count": counts.get(row["id"], 0)} for row in project_store.all_of(connection)]
            shown = [self._row(connection, row) for row in rows]
            return {"experiments": shown, "count": count, "projects": named, "has_cost": any(one["cost"] for one in shown)}

        found = await self._service.store.do(read)
        pages = max(1, -(-found["count"] // PAGE))
        return {**found, "project": project, "archived": state == "all", "search": search, "page": min(number, pages), "pages": pages}

    def _row(self, connection: Connection, row: Row) -> dict[str, Any]:
        shown = dict(serializers.experiment(row, progress(connection, row)))
        stamp = (row["updated"], row["history"])
        before = self._kept.get(row["id"])
        if before is None or before[0] != stamp or row["kind"] == "core":
            before = (stamp, {**_results(connection, row), "cost": self._cost(connection, row["id"])})
            self._kept[row["id"]] = before
            while len(self._kept) > 1000:
                self._uses.pop(forgotten := next(iter(self._kept)), None)
                del self._kept[forgotten]
        return {**experiment_facts(shown), **before[1]}

    def _cost(self, connection: Connection, experiment: int) -> str | None:
        """What an experiment has cost, from the nodes of its training runs; only those that changed are read again."""
        table = training_runs.c
        since, known = self._uses.get(experiment, (0, {}))
        changed = (table.experiment == experiment) & (table.updated >= since)
        for identifier, updated, dev in connection.execute(select(table.id, table.updated, table.data["dev_metadata"]).where(changed)):
            since = max(since, updated)
            if uses := uses_in(dev or {}):
                known[identifier] = uses
        self._uses[experiment] = (since, known)
        return dollars(spent(use for uses in known.values() for use in uses))


def experiment_facts(shown: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment of either kind in one form, with its progress in numbers and in words."""
    counts = shown["progress"]
    done = counts.get("finished_run_count", counts.get("observation_count", 0))
    active = counts.get("active_run_count", 0)
    budget = shown.get("budget", shown.get("observation_budget"))
    if shown["state"] == "deleted" or not (active or shown.get("workers")):
        either: Any = {**shown, "budget": budget, "progress": {"finished_run_count": done, "total_run_count": done + active}}
        status = status_of(either, None)
    else:
        status = "in progress"
    return {
        "id": shown["id"],
        "name": shown["name"],
        "project": shown["project"],
        "updated": shown["updated"],
        "created": shown["created"],
        "status": status,
        "done": done,
        "active": active,
        "budget": budget,
        "progress": progress_text(done, budget),
        "share": None if not budget else min(1.0, done / budget),
    }


def _results(connection: Connection, row: Row) -> dict[str, Any]:
    table, metrics = observations.c, row["body"]["metrics"]
    wanted = (table.experiment == row["id"]) & table.deleted.is_(False)
    rows = connection.execute(select(table["values"], table.failed).where(wanted).order_by(table.id)).all()
    values = [{one["name"]: one["value"] for one in some} for some, failed in rows if not failed]
    best = best_of(metrics, [(one, one) for one in reversed(values)])
    return {
        "best": best_text(metrics, best[0]) if best else None,
        "front": len(best) if len(optimized_metrics(row["body"])) > 1 else None,
        "failed": sum(failed for _, failed in rows),
        "line": sparkline(_improvements(metrics, values)),
    }


def _improvements(metrics: Sequence[Row], values: Sequence[dict[str, float]]) -> list[float]:
    """The best so far after each result, more being better, in the first metric that is optimized."""
    first = next((one for one in metrics if one.get("strategy") in (None, "optimize")), None)
    line: list[float] = []
    for one in values:
        if first is None or first["name"] not in one:
            continue
        now = gain(first, one) if is_within(metrics, one) else None
        if line or now is not None:
            line.append(max(line[-1] if line else float("-inf"), float("-inf") if now is None else now))
    return line


def sparkline(line: Sequence[float]) -> str | None:
    """A line as the points of an SVG polyline of `WIDTH` by `HEIGHT`; None for less than two values."""
    if len(line) < 2:
        return None
    low, high = min(line), max(line)
    step = max(1, len(line) // WIDTH)
    some = [*list(enumerate(line))[::step], (len(line) - 1, line[-1])]
    span = (high - low) or 1.0
    return " ".join(f"{x * WIDTH / (len(line) - 1):.1f},{2 + (HEIGHT - 4) * (1 - (value - low) / span):.1f}" for x, value in some)
