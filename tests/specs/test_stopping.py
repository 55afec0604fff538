"""`early_stopping` of `experiment.yml`: its rules, and its way through the API in the metadata."""

from typing import Any

import jsonschema
import pytest

from trialflow.errors import InvalidInput
from trialflow.specs import EarlyStoppingSpec, early_stopping_of, json_schema, validate_experiment_body

BODY: dict[str, Any] = {
    "name": "e",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "acc"}],
    "budget": 10,
}


def test_it_is_off_by_default_and_has_defaults_of_its_own() -> None:
    assert validate_experiment_body(BODY).early_stopping is None
    assert "metadata" not in validate_experiment_body(BODY).to_api()
    given = validate_experiment_body({**BODY, "early_stopping": {"rule": "median", "metric": "acc"}}).early_stopping
    assert given == EarlyStoppingSpec(rule="median", metric="acc", min_checkpoints=5, reduction=3)


def test_it_travels_in_the_metadata_and_comes_back_from_there() -> None:
    asked = {"rule": "asha", "metric": "acc", "min_checkpoints": 2, "reduction": 4}
    body = validate_experiment_body({**BODY, "metadata": {"mine": 1}, "early_stopping": asked}).to_api()
    assert "early_stopping" not in body and body["metadata"]["mine"] == 1
    kept = early_stopping_of(body["metadata"])
    assert kept is not None and kept.model_dump() == asked
    assert validate_experiment_body(body).to_api() == body


@pytest.mark.parametrize("metadata", [None, {}, {"trialflow_early_stopping": 1}, {"trialflow_early_stopping": "no json"}])
def test_what_cannot_be_read_is_none(metadata: Any) -> None:
    assert early_stopping_of(metadata) is None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"rule": "mean", "metric": "acc"}, "asha, median"),
        ({"rule": "asha", "metric": "other"}, "'other' is no metric of this experiment"),
        ({"rule": "asha"}, "metric"),
        ({"rule": "asha", "metric": "acc", "min_checkpoints": 0}, ".early_stopping.min_checkpoints"),
        ({"rule": "asha", "metric": "acc", "reduction": 1}, ".early_stopping.reduction"),
        ({"rule": "asha", "metric": "acc", "patience": 1}, "Unknown json keys `patience`"),
    ],
)
def test_what_is_wrong_is_told(wrong: dict, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected.replace(".", r"\.")):
        validate_experiment_body({**BODY, "early_stopping": wrong})


def test_the_schema_has_it() -> None:
    validator = jsonschema.Draft202012Validator(json_schema("experiment"))
    assert validator.is_valid({**BODY, "early_stopping": {"rule": "asha", "metric": "acc"}})
    assert not validator.is_valid({**BODY, "early_stopping": {"rule": "mean", "metric": "acc"}})
