"""What may change of an experiment once it exists."""

import json
from typing import Any

from trialflow.errors import InvalidInput
from trialflow.metadata_keys import PREFIX
from trialflow.specs.body import validate_experiment_body
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.parameter import ParameterSpec

UPDATABLE = ("name", "parameters", "metrics", "budget", "parallel_bandwidth", "metadata")
FIXED = {"type": "offline", "conditionals": [], "linear_constraints": [], "num_solutions": 1}
"""Fields that stay as they are, and what leaving them out means."""
NOT_OURS = ("state", "object", "id")
"""Keys of an update that the caller sees to."""


def check_update(old: ExperimentSpec, new_fields: dict[str, Any]) -> ExperimentSpec:
    """The experiment after an update with `new_fields`. Raises `InvalidInput` for what cannot change once it exists.

    Bounds, grid, thresholds, budget, bandwidth, name and metadata can change; parameters that are left out are deleted; new ones need a
    default value. Null takes budget, bandwidth or metadata away. Metadata are replaced, but for keys that begin with `trialflow_`: those stay unless
    they are given anew. Fields that stay may be sent along as the API answered them.
    """
    fields = {key: value for key, value in new_fields.items() if key not in NOT_OURS}
    if unknown := [key for key in fields if key not in UPDATABLE and key not in FIXED]:
        raise InvalidInput(f"Unknown json keys `{'`, `'.join(unknown)}` in: {json.dumps(fields, default=str)[:300]}")
    before = old.to_api()
    for field, default in FIXED.items():
        if field in fields and _bare(fields[field], default) != _bare(before.get(field), default):
            raise InvalidInput(f"{field} cannot be changed once the experiment exists")
    if "budget" in fields and fields["budget"] != before.get("budget") and (reason := _why_budget_stays(old)):
        raise InvalidInput(f"the budget of an experiment with {reason} cannot be changed")
    if old.type == "grid":
        before.pop("budget")  # it follows from the parameters
    if isinstance(fields.get("metrics"), list):
        fields["metrics"] = [_metric(old, one) for one in fields["metrics"]]
    if "metadata" in fields and isinstance(fields["metadata"], dict | None):
        # What a program keeps for itself stays when an update does not name it, or the program would lose its way.
        kept = {key: value for key, value in (old.metadata or {}).items() if key.startswith(PREFIX)}
        fields["metadata"] = None if fields["metadata"] is None and not kept else {**kept, **(fields["metadata"] or {})}
    new = validate_experiment_body({**before, **{key: value for key, value in fields.items() if key in UPDATABLE}})
    _check_metrics(old, new)
    _check_parameters(old, new)
    return new


def _bare(value: Any, default: Any) -> Any:
    """`value` without `object` keys and nulls, and without an order among conditionals: what counts when two are compared."""
    if isinstance(value, dict):
        return {key: _bare(one, None) for key, one in value.items() if key != "object" and one is not None}
    if isinstance(value, list):
        return sorted((_bare(one, None) for one in value), key=repr)
    return default if value is None else value


def _why_budget_stays(old: ExperimentSpec) -> str | None:
    if old.type == "grid":
        return "type grid"
    if len(old.optimized) > 1:
        return "two metrics to optimize"
    return "several solutions" if (old.num_solutions or 1) > 1 else None


def _metric(old: ExperimentSpec, given: Any) -> Any:
    """A metric of an update: what is not given of it stays as it is; a null threshold takes the threshold away."""
    if not isinstance(given, dict):
        return given
    known = next((one.to_api() for one in old.metrics if one.name == given.get("name")), {})
    return {**known, **{key: value for key, value in given.items() if value is not None or key == "threshold"}}


def _check_metrics(old: ExperimentSpec, new: ExperimentSpec) -> None:
    def fixed(spec: ExperimentSpec) -> list[tuple[str, str, str]]:
        return sorted((one.name, one.objective or "maximize", one.strategy or "optimize") for one in spec.metrics)

    if fixed(old) != fixed(new):
        raise InvalidInput("names, objectives, strategies and number of metrics cannot be changed once the experiment exists")


def _check_parameters(old: ExperimentSpec, new: ExperimentSpec) -> None:
    known = {one.name: one for one in old.parameters}
    if old.type == "grid" and known != {one.name: one for one in new.parameters}:
        raise InvalidInput("the parameters of an experiment with type grid cannot be changed")
    for one in new.parameters:
        if one.name in known:
            _check_parameter(known[one.name], one)
        elif one.default_value is None:
            raise InvalidInput(f"the new parameter {one.name} needs a default_value: the value that earlier training runs count as having")


def _check_parameter(was: ParameterSpec, now: ParameterSpec) -> None:
    for field, before, after in (
        ("type", was.type, now.type),
        ("transformation", was.is_log, now.is_log),
        ("conditions", was.conditions, now.conditions),
    ):
        if before != after:
            raise InvalidInput(f"the {field} of the parameter {now.name} cannot be changed once the experiment exists")
