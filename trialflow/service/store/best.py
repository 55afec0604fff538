"""The best training runs and the best observations of an experiment. For several solutions: the good ones that they are chosen from."""

import json
from typing import Any

from sqlalchemy import Connection, select

from trialflow.metadata_keys import EARLIER
from trialflow.metrics import values_of
from trialflow.results.ranking import best_of, top_of
from trialflow.service.multitask import is_full_cost
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store.rows import Row
from trialflow.service.store.schema import training_runs


def training_runs_of(connection: Connection, identifier: str) -> tuple[Row, list[Row]]:
    """An AI experiment and its best training runs as `id` and `assignments`, best first. What was measured on earlier data is not compared."""
    experiment = experiment_store.get(connection, identifier, kind="ai")
    columns = training_runs.c
    wanted = (columns.experiment == experiment["id"]) & columns.deleted.is_(False) & (columns.state == "completed")
    rows = connection.execute(select(columns.id, columns.data).where(wanted).order_by(columns.id.desc())).all()
    today = [(identifier, data) for identifier, data in rows if data["dev_metadata"].get(EARLIER) is None]
    candidates = [({"id": identifier, "assignments": data["assignments"]}, values_of(data)) for identifier, data in today]
    return experiment, _chosen(experiment["body"], candidates)


def observations_of(rows: list[Row], body: dict[str, Any], *, with_solutions: bool = False) -> list[Row]:
    """The best of an experiment's observations, best first. Only those at full cost are compared."""
    candidates = [(row, {one["name"]: one["value"] for one in row["values"]}) for row in reversed(rows) if not row["failed"] and is_full_cost(row)]
    return _chosen(body, candidates) if with_solutions else best_of(body["metrics"], candidates)


def _chosen(body: dict[str, Any], candidates: list[tuple[Row, dict[str, float]]]) -> list[Row]:
    solutions = body.get("num_solutions") or 1
    if solutions == 1:
        return best_of(body["metrics"], candidates)
    return top_of(body["metrics"], candidates, point_of=lambda row: json.dumps(row["assignments"], sort_keys=True), least=solutions)
