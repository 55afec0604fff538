"""`mlflow` of `experiment.yml`: where training runs are logged as they end."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from trialflow.metadata_keys import MLFLOW
from trialflow.specs.strict import Name, Strict, Violation


class MlflowSpec(Strict):
    """Logs each training run to MLflow as soon as it has ended. Off unless given; user and password, or a token, are MLflow's own variables."""

    tracking_uri: Annotated[str, Field(min_length=1, max_length=300)] = Field(
        description="MLflow's tracking server or store, such as http://mlflow:5000 or sqlite:////data/mlflow.db."
    )
    experiment: Annotated[Name, Field(max_length=100)] | None = Field(
        default=None, description="The experiment in MLflow; by default named after this one and its id."
    )


def mlflow_rules(one: MlflowSpec | None) -> Iterator[Violation]:
    """What is wrong with `mlflow`: what is a secret has no place in a file, in the service or in a flow's parameters."""
    if one is None:
        return
    try:
        parts = urlsplit(one.tracking_uri)
    except ValueError:
        yield Violation(("mlflow", "tracking_uri"), "it is no address")
        return
    if not parts.scheme or not one.tracking_uri.isprintable():
        yield Violation(("mlflow", "tracking_uri"), "it is no URI; a server is http://HOST:PORT, a database sqlite:////PATH")
    if parts.password is not None or (parts.scheme in ("http", "https") and (parts.username is not None or parts.query)):
        yield Violation(
            ("mlflow", "tracking_uri"),
            "it has credentials in it; leave them out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )


def mlflow_of(metadata: Mapping[str, Any] | None) -> MlflowSpec | None:
    """What is in an experiment's metadata as the API answers it; None if there is nothing that can be read, or it is not allowed in a file."""
    kept = (metadata or {}).get(MLFLOW)
    if not isinstance(kept, str):
        return None
    try:
        found = MlflowSpec.model_validate(json.loads(kept))
    except (ValueError, RecursionError):
        return None
    return None if list(mlflow_rules(found)) else found
