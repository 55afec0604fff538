"""JSON Schema of the files, for editors."""

from typing import Any, Literal

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.run import RunSpec

MODELS = {"run": RunSpec, "experiment": ExperimentSpec, "cluster": ClusterSpec}


def json_schema(kind: Literal["run", "experiment", "cluster"]) -> dict[str, Any]:
    """The schema (draft 2020-12) of `run.yml`, `experiment.yml` or `cluster.yml`."""
    schema = MODELS[kind].model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"{kind}.yml"}
