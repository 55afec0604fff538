"""Observations in the store: those of an experiment, and which of them are the best."""

from typing import Any

from sqlalchemy import Connection, select

from trialflow.service.best import best_of, best_share
from trialflow.service.store.rows import Row
from trialflow.service.store.schema import observations
from trialflow.service.tasks import is_full


def of_experiment(connection: Connection, experiment: int) -> list[Row]:
    """All of an experiment that are not deleted, failed ones too, oldest first."""
    wanted = (observations.c.experiment == experiment) & observations.c.deleted.is_(False)
    return [dict(row) for row in connection.execute(select(observations).where(wanted).order_by(observations.c.id)).mappings()]


def best(rows: list[Row], body: dict[str, Any]) -> list[Row]:
    """The best of an experiment's observations: one, a front, or all that satisfy the constraints. Only those at full cost are compared."""
    return best_of(body["metrics"], _candidates(rows))


def good(rows: list[Row], body: dict[str, Any]) -> list[Row]:
    """Those to choose `num_solutions` different ones from, best first."""
    return best_share(body["metrics"], _candidates(rows), least=body["num_solutions"])


def _candidates(rows: list[Row]) -> list[tuple[Row, dict[str, float]]]:
    return [(row, {one["name"]: one["value"] for one in row["values"]}) for row in rows if not row["failed"] and is_full(row)]
