"""Training runs that are known from elsewhere: they belong to an experiment, teach its optimizer, and cost no budget."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, not_

from trialflow.metadata_keys import EARLIER, KNOWN, KNOWN_NAME
from trialflow.service.store.schema import training_runs

OLDEST = 6
"""Experiments ago: what is older is as old."""


def earlier_task(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The task of an observation that was made for an earlier experiment, on other data: what it tells of today is learned from the observations.

    The model takes it as a cheaper task, the cheaper the older; the best are chosen without it. None for a training run of today.
    """
    age = row["data"]["dev_metadata"].get(EARLIER)
    if isinstance(age, bool) or not isinstance(age, int) or age < 1:
        return None
    return {"name": f"{age} experiments ago", "cost": 10.0 ** -min(age, OLDEST)}


def costs_budget(experiment: int) -> ColumnElement[bool]:
    """The condition on training runs that cost budget of the experiment: not archived, and not known from elsewhere.

    Only names that say so have their metadata looked into.
    """
    runs = training_runs.c
    is_known = runs.name.startswith(KNOWN_NAME, autoescape=True) & runs.data["dev_metadata"][KNOWN].as_string().is_not(None)
    return (runs.experiment == experiment) & runs.deleted.is_(False) & not_(is_known)
