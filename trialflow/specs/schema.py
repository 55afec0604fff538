"""JSON Schema of the files, for editors."""

from typing import Any, Literal

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.run import RunSpec

MODELS = {"run": RunSpec, "experiment": ExperimentSpec, "cluster": ClusterSpec}


def json_schema(kind: Literal["run", "experiment", "cluster"]) -> dict[str, Any]:
    """The schema (draft 2020-12) of `run.yml`, `experiment.yml` or `cluster.yml`."""
    schema = MODELS[kind].model_json_schema(mode="validation")
    for model in (schema, *schema.get("$defs", {}).values()):
        _allow_null(model)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"{kind}.yml"}


def _allow_null(model: dict[str, Any]) -> None:
    """A key with nothing after it is as good as none, wherever the key may be left out."""
    for name, field in model.get("properties", {}).items():
        if name not in model.get("required", ()) and not any(branch.get("type") == "null" for branch in field.get("anyOf", ())):
            said = {key: field.pop(key) for key in ("title", "description", "default", "examples") if key in field}
            model["properties"][name] = {**said, "anyOf": [field, {"type": "null"}]}
