"""`mlflow` of `experiment.yml`: its rules, and its way through the API in the metadata."""

from typing import Any

import pytest

from tests.specs.test_stopping import BODY
from trialflow.errors import InvalidInput
from trialflow.specs import validate_experiment_body
from trialflow.specs.mlflow import MlflowSpec, mlflow_of


def test_it_travels_in_the_metadata_and_comes_back_from_there() -> None:
    body = validate_experiment_body({**BODY, "mlflow": {"tracking_uri": "http://mlflow:5000", "experiment": "birds"}}).to_api()
    assert "mlflow" not in body
    assert mlflow_of(body["metadata"]) == MlflowSpec(tracking_uri="http://mlflow:5000", experiment="birds")
    assert validate_experiment_body(BODY).mlflow is None and "metadata" not in validate_experiment_body(BODY).to_api()


@pytest.mark.parametrize("metadata", [None, {}, {"trialflow_mlflow": 1}, {"trialflow_mlflow": "no json"}, {"trialflow_mlflow": "{}"}])
def test_what_cannot_be_read_is_none(metadata: Any) -> None:
    assert mlflow_of(metadata) is None


@pytest.mark.parametrize("uri", ["http://me:secret@mlflow", "https://token@mlflow", "http://mlflow?token=secret", "postgresql://me:secret@db/mlflow"])
def test_credentials_are_refused_without_being_repeated(uri: str) -> None:
    with pytest.raises(InvalidInput, match="MLFLOW_TRACKING_USERNAME") as refused:
        validate_experiment_body({**BODY, "mlflow": {"tracking_uri": uri}})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{}, {"tracking_uri": ""}, {"tracking_uri": "mlflow:\n"}, {"tracking_uri": "somewhere"}, {"tracking_uri": "http://a", "token": "x"}]
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        validate_experiment_body({**BODY, "mlflow": wrong})
