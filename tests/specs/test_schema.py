"""The schemas for editors take what the models take, and mark what they refuse."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from trialflow.specs import ClusterSpec, ExperimentSpec, RunSpec, json_schema

ROOT = Path(__file__).parents[2]
MODELS = {"run": RunSpec, "experiment": ExperimentSpec, "cluster": ClusterSpec}
KINDS = list(MODELS)
FILES = [(kind, file) for kind in KINDS for file in [*ROOT.glob(f"examples/*/{kind}.yml"), ROOT / f"trialflow/cli/templates/{kind}.yml"]]
PARAMETER = {"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}
BODY: dict[str, Any] = {"name": "x", "parameters": [PARAMETER], "metrics": [{"name": "m"}], "budget": 10}
CPU = {"instance_type": "m5", "min_nodes": 0, "max_nodes": 2}


def validator(kind: Any) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_schemas(kind: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))


@pytest.mark.parametrize(("kind", "file"), FILES, ids=lambda value: value if isinstance(value, str) else f"{value.parent.name}/{value.name}")
def test_they_take_our_own_files_and_no_unknown_key(kind: str, file: Path) -> None:
    data = yaml.safe_load(file.read_text())
    validator(kind).validate(data)
    assert not validator(kind).is_valid({**data, "nonsense": 1})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("run", {"run": "python model.py"}),
        ("run", {"run": ["python", "model.py"]}),
        ("run", {"env": {"A": "x", "B": 1}, "timeout": "15m", "image": "a/b:1", "resources": {"gpus": 1, "limits": {"cpu": "500m", "memory": 1}}}),
        ("run", {"timeout": 90, "env": None, "metrics": None, "run": None}),
        ("run", {"metrics": {"m": "m=(.*)"}, "aws": {"aws_access_key_id": "a", "aws_secret_access_key": "b"}}),
        ("experiment", BODY),
        ("experiment", {**BODY, "parameters": [{"name": "c", "type": "categorical", "categorical_values": ["x", "y"]}]}),
        (
            "experiment",
            {
                **BODY,
                "conditionals": [{"name": "c", "values": ["x", "y"]}],
                "parameters": [{**PARAMETER, "conditions": {"c": "x"}}, {**PARAMETER, "name": "b", "conditions": {"c": ["y"]}}],
            },
        ),
        ("experiment", {**BODY, "metadata": {"k": 1, "l": "x", "m": None}, "parallel_bandwidth": None, "type": "random"}),
        ("cluster", {"provider": "aws", "cluster_name": "x", "cpu": CPU, "kubernetes_version": "1.34"}),
        ("cluster", {"provider": "custom", "cluster_name": "x", "registry": "host:5000", "namespace": "n"}),
    ],
)
def test_what_is_right_is_right_for_both(kind: str, data: dict[str, Any]) -> None:
    MODELS[kind].model_validate(data)
    validator(kind).validate(data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("run", {"rnu": "x"}),
        ("run", {"run": 5}),
        ("run", {"run": []}),
        ("run", {"timeout": "soon"}),
        ("run", {"timeout": 0}),
        ("run", {"max_relaunches": -1}),
        ("run", {"env": {"A": True}}),
        ("run", {"resources": {"limits": {"memory": "2GB"}}}),
        ("run", {"language": "python"}),
        ("experiment", {"name": "x"}),
        ("experiment", {**BODY, "project": "p"}),
        ("experiment", {**BODY, "type": "bayes"}),
        ("experiment", {**BODY, "budget": 0}),
        ("experiment", {**BODY, "budget": "10"}),
        ("experiment", {**BODY, "name": ""}),
        ("experiment", {**BODY, "parameters": []}),
        ("experiment", {**BODY, "parameters": [{**PARAMETER, "typ": "double"}]}),
        ("experiment", {**BODY, "parameters": [{**PARAMETER, "type": "float"}]}),
        ("experiment", {**BODY, "parameters": [{**PARAMETER, "bounds": {"min": 0}}]}),
        ("experiment", {**BODY, "metrics": [{"name": "m", "objective": "max"}]}),
        ("experiment", {**BODY, "metadata": {"k": True}}),
        ("cluster", {"provider": "gcp", "cluster_name": "x"}),
        ("cluster", {"provider": "aws", "cluster_name": "x", "cpu": {**CPU, "nodes": 1}}),
        ("cluster", {"provider": "aws", "cluster_name": "x", "kubernetes_version": 1.34, "cpu": CPU}),
    ],
)
def test_what_is_wrong_is_wrong_for_both(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        MODELS[kind].model_validate(data)
    assert not validator(kind).is_valid(data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described_and_no_mapping_takes_unknown_keys(kind: Any) -> None:
    schema = json_schema(kind)
    for model in (schema, *schema["$defs"].values()):
        assert model["additionalProperties"] is False
        assert all(field.get("description") for field in model["properties"].values())
