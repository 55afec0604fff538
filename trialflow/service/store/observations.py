"""Observations in the store: add, change, and those of an experiment. A suggestion is closed while an observation answers it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from trialflow.service.store import experiments as experiment_store
from trialflow.service.store.rows import Row, add, change
from trialflow.service.store.schema import observations, suggestions


def create(connection: Connection, values: Mapping[str, Any]) -> Row:
    """A new observation; the suggestion that it answers is closed."""
    identifier = add(connection, observations, values)
    if values["suggestion"] is not None:
        change(connection, suggestions, values["suggestion"], {"state": "closed"})
    experiment_store.touch(connection, values["experiment"])
    return {"id": identifier, **values}


def update(connection: Connection, row: Row, values: Mapping[str, Any]) -> Row:
    """Change an observation. If it answers another suggestion from now on, that one is closed, and the one it leaves is open again."""
    changed = {**row, **values}
    if not values:
        return changed
    change(connection, observations, row["id"], values)
    if changed["suggestion"] != row["suggestion"]:
        if row["suggestion"] is not None and not _is_answered(connection, row["suggestion"]):
            change(connection, suggestions, row["suggestion"], {"state": "open"})
        if changed["suggestion"] is not None:
            change(connection, suggestions, changed["suggestion"], {"state": "closed"})
    experiment_store.touch_history(connection, row["experiment"])
    return changed


def of_experiment(connection: Connection, experiment: int) -> list[Row]:
    """All of an experiment that are not deleted, failed ones too, oldest first."""
    wanted = (observations.c.experiment == experiment) & observations.c.deleted.is_(False)
    return [dict(row) for row in connection.execute(select(observations).where(wanted).order_by(observations.c.id)).mappings()]


def _is_answered(connection: Connection, suggestion: int) -> bool:
    wanted = (observations.c.suggestion == suggestion) & observations.c.deleted.is_(False)
    return connection.execute(select(func.count()).select_from(observations).where(wanted)).scalar_one() > 0
