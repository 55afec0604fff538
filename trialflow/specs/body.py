"""The same rules for what comes over HTTP: a body becomes a spec, and what is wrong with it one sentence in SigOpt's wording."""

import json
from typing import Any

from pydantic import ValidationError

from trialflow.errors import InvalidInput
from trialflow.specs import introspection
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.field_errors import FieldError, field_errors
from trialflow.specs.paths import dotted, value_at

MOST_SENTENCES = 5


def validate_experiment_body(data: Any) -> ExperimentSpec:
    """The experiment that a body of `POST aiexperiments` describes. Raises `InvalidInput` with one message."""
    if not isinstance(data, dict):
        raise InvalidInput(f"Invalid type for .: {_json(data)} - expected type ['object']")
    given = {key: value for key, value in data.items() if value is not None or key not in ExperimentSpec.model_fields}
    try:
        return ExperimentSpec.model_validate(given)
    except ValidationError as error:
        found = field_errors(error, ExperimentSpec, given)
        raise InvalidInput("; ".join(_sentence(one, given) for one in found[:MOST_SENTENCES])) from error


def _sentence(one: FieldError, data: Any) -> str:
    path = f".{dotted(one.path)}"
    around = _json(value_at(data, one.path[:-1]))
    if one.kind == "missing":
        return f'Missing required json key "{one.path[-1]}" in: {around}'
    if one.kind == "unknown":
        return f"Unknown json keys `{one.path[-1]}` in: {around}"
    if one.kind == "type":
        return f"Invalid type for {path}: {_json(one.value)} - expected type {introspection.json_types(one.path, ExperimentSpec)}"
    if one.kind == "literal":
        value = one.value if isinstance(one.value, str) else _json(one.value)
        return f"{value} is not one of the allowed values: {', '.join(sorted(introspection.options(one.path, ExperimentSpec)))}"
    if one.kind == "length":
        side = "less" if one.allowed.startswith("at most") else "greater"
        return f"The length of {path} must be {side} than or equal to {one.limit}"
    return f"Invalid value for {path}: {one.found}" + (f" - {one.allowed}" if one.allowed else "")


def _json(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 300 else text[:297] + "..."
