"""The same rules for what comes over HTTP: a body becomes a spec, and what is wrong with it one sentence in SigOpt's wording."""

import json
from typing import Any

from pydantic import ValidationError

from trialflow.errors import InvalidInput
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.explain import Finding, dotted, findings
from trialflow.specs.parameter import ParameterSpec

UPDATABLE = ("name", "parameters", "metrics", "budget", "parallel_bandwidth", "metadata")
FIXED = ("conditionals", "linear_constraints", "num_solutions", "type")


def validate_experiment_body(data: Any) -> ExperimentSpec:
    """The experiment that a body of `POST aiexperiments` describes. Raises `InvalidInput` with one message."""
    if not isinstance(data, dict):
        raise InvalidInput(f"Invalid type for body: {json.dumps(data)[:100]} - expected type object")
    unset = {key: value for key, value in data.items() if value is not None or key not in ExperimentSpec.model_fields}
    try:
        return ExperimentSpec.model_validate(unset)
    except ValidationError as error:
        raise InvalidInput("; ".join(_sentence(finding, data) for finding in findings(error, ExperimentSpec)[:5])) from error


def _sentence(finding: Finding, data: Any) -> str:
    path = "." + dotted(finding.place)
    if finding.kind == "missing":
        return f'Missing required json key "{finding.place[-1]}" in: {_excerpt(data, finding.place[:-1])}'
    if finding.kind == "unknown":
        return f"Unknown json keys `{finding.place[-1]}` in: {_excerpt(data, finding.place[:-1])}"
    if finding.kind == "type":
        return f"Invalid type for {path}: {finding.found} - {finding.allowed}"
    if finding.kind == "literal":
        return f"{finding.found.strip(chr(39))} is not one of the allowed values: {finding.allowed.removeprefix('allowed: ')}"
    return f"Invalid value for {path}: {finding.found}" + (f" - {finding.allowed}" if finding.allowed else "")


def _excerpt(data: Any, place: tuple) -> str:
    for part in place:
        data = data[part] if isinstance(data, list) or (isinstance(data, dict) and part in data) else data
    return json.dumps(data, default=str)[:300]


def check_update(old: ExperimentSpec, new_fields: dict[str, Any]) -> ExperimentSpec:
    """The experiment after an update with `new_fields`. Raises `InvalidInput` for what cannot change once it exists.

    Bounds, grid, thresholds, budget, bandwidth, name and metadata can change; parameters that are left out are deleted; new ones need a
    default value. A null metadata or bandwidth removes it.
    """
    fields = {key: value for key, value in new_fields.items() if key not in ("state", "object", "id")}
    before = old.to_api()
    for field in FIXED:
        if field in fields and (fields[field] or None) != before.get(field) and not (field == "type" and fields[field] == (old.type or "offline")):
            raise InvalidInput(f"{field} cannot be changed once the experiment exists")
    if unknown := [key for key in fields if key not in (*UPDATABLE, *FIXED)]:
        raise InvalidInput(f"Unknown json keys `{'`, `'.join(unknown)}` in: {json.dumps(fields, default=str)[:300]}")
    if old.type == "grid" and "parameters" in fields:
        raise InvalidInput("the parameters of a grid experiment cannot be changed")
    if "budget" in fields and fields["budget"] != before.get("budget"):
        if old.type == "grid" or len(old.optimized) > 1 or (old.num_solutions or 1) > 1:
            raise InvalidInput("the budget of an experiment with a grid, two metrics or several solutions cannot be changed")
    if fields.get("metrics") is not None:
        fields["metrics"] = _metrics(old, fields["metrics"])
    merged = {**before, **fields}
    new = validate_experiment_body(merged)
    _check_metrics(old, new)
    _check_parameters(old, new)
    return new


def _metrics(old: ExperimentSpec, metrics: Any) -> Any:
    """Metrics of an update by name: what is not given stays as it is."""
    known = {metric.name: metric.to_api() for metric in old.metrics}
    if not isinstance(metrics, list):
        return metrics
    return [
        {**known.get(str(one.get("name")), {}), **{k: v for k, v in one.items() if v is not None}} if isinstance(one, dict) else one
        for one in metrics
    ]


def _check_metrics(old: ExperimentSpec, new: ExperimentSpec) -> None:
    def fixed(spec: ExperimentSpec) -> list[tuple[Any, ...]]:
        return sorted((one.name, one.objective or "maximize", one.strategy or "optimize") for one in spec.metrics)

    if fixed(old) != fixed(new):
        raise InvalidInput("names, objectives, strategies and number of metrics cannot be changed once the experiment exists")


def _check_parameters(old: ExperimentSpec, new: ExperimentSpec) -> None:
    known = {one.name: one for one in old.parameters}
    for one in new.parameters:
        if (was := known.get(one.name)) is None:
            if one.default_value is None:
                raise InvalidInput(f"the new parameter {one.name} needs a default_value: the value that earlier training runs count as having")
            continue
        _check_parameter(was, one)


def _check_parameter(was: ParameterSpec, now: ParameterSpec) -> None:
    for field, before, after in (
        ("type", was.type, now.type),
        ("transformation", was.is_log, now.is_log),
        ("conditions", was.conditions, now.conditions),
    ):
        if before != after:
            raise InvalidInput(f"the {field} of the parameter {now.name} cannot be changed once the experiment exists")
