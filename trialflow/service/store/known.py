"""Training runs that are known from elsewhere: they belong to an experiment, teach its optimizer, and cost no budget."""

from sqlalchemy import ColumnElement, not_

from trialflow.metadata_keys import KNOWN, KNOWN_NAME
from trialflow.service.store.schema import training_runs


def costs_budget(experiment: int) -> ColumnElement[bool]:
    """The condition on training runs that cost budget of the experiment: not archived, and not known from elsewhere.

    Only names that say so have their metadata looked into.
    """
    runs = training_runs.c
    is_known = runs.name.startswith(KNOWN_NAME, autoescape=True) & runs.data["dev_metadata"][KNOWN].as_string().is_not(None)
    return (runs.experiment == experiment) & runs.deleted.is_(False) & not_(is_known)
