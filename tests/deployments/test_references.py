"""Blocks as parameters: by name or by reference, and never with what they hold."""

import json
import logging
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.schema_tools import ValidationError, validate
from pydantic import TypeAdapter
from pydantic import ValidationError as Invalid

from blocks import TrialflowCluster
from blocks.references import AwsBlock, ClusterBlock, Referred, with_names
from flows.crashes import parameters_again
from flows.declaring import flow
from tests.deployments.test_declared import GOOD, schema_named
from tests.flows.test_crashes import CRASHED

IDENTIFIER = "0f8fad5b-d9cb-469f-a165-70867728950e"
REFERENCE = {"$ref": {"block_document_id": IDENTIFIER}}
HELD = {"kubeconfig": {"users": [{"user": {"token": "hush"}}]}}


def given(block: Any) -> list[tuple[str, dict[str, Any]]]:
    """Parameters of deployments with this for each kind of block."""
    optimize = {"experiment": GOOD, "run": {"run": "true"}, "directory": "/m"}
    return [
        ("cluster-test", {"cluster": block}),
        ("cluster-destroy", {"cluster_name": "mine", "credentials": block}),
        ("cluster-connect", {"cluster": {"name": "mine", "kubeconfig_block": block, "credentials": block}}),
        ("image", {"registry": block}),
        ("optimize", {**optimize, "service": block, "aws": block}),
        ("optimize", {**optimize, "cluster": {"name": block, "aws": block}}),
        ("training-run", {"run": {"run": "true"}, "directory": "/m", "cluster": {"name": block}}),
    ]


@pytest.mark.parametrize("block", ["mine", REFERENCE, {"$ref": IDENTIFIER}, {"$ref": {"block_document_slug": "trialflow-cluster/mine"}}], ids=str)
def test_the_server_takes_a_block_by_its_name_and_by_reference(block: Any) -> None:
    for name, parameters in given(block):
        validate(parameters, schema_named(name), raise_on_error=True)


@pytest.mark.parametrize(
    "block", ["", {}, 1, {"$ref": {}}, {"$ref": "mine"}, {"$ref": {"block_document_id": "mine"}}, {**REFERENCE, **HELD}, HELD, ["mine"]], ids=str
)
def test_the_server_refuses_anything_else_and_above_all_what_a_block_holds(block: Any) -> None:
    for name, parameters in given(block):
        with pytest.raises(ValidationError):
            validate(parameters, schema_named(name), raise_on_error=True)


def test_every_block_among_the_parameters_is_chosen_from_a_list_of_its_kind() -> None:
    found = {
        (name, field, schema["block_type_slug"])
        for name in ("optimize", "cluster-test", "cluster-create", "cluster-stop", "image")
        for field, schema in schema_named(name)["properties"].items()
        if "block_type_slug" in schema
    }
    assert found == {
        ("optimize", "service", "trialflow-service"),
        ("optimize", "aws", "aws-credentials"),
        ("cluster-test", "cluster", "trialflow-cluster"),
        ("cluster-create", "credentials", "aws-credentials"),
        ("cluster-stop", "cluster", "trialflow-cluster"),
        ("cluster-stop", "service", "trialflow-service"),
        ("image", "registry", "trialflow-image-registry"),
    }
    assert schema_named("optimize")["definitions"]["OnCluster"]["properties"]["name"]["block_type_slug"] == "trialflow-cluster"


def test_a_reference_by_type_and_name_needs_no_server_and_other_parameters_stay_as_they_are() -> None:
    kept = {"metadata": {"$ref": {"block_document_id": "x"}, "more": 1}, "names": ["a"]}
    named = with_names({**kept, "cluster": {"name": {"$ref": {"block_document_slug": "trialflow-cluster/mine"}}}})
    assert named == {**kept, "cluster": {"name": Referred("trialflow-cluster", "mine")}}


def test_a_block_of_another_type_is_refused_with_both_types() -> None:
    assert TypeAdapter(ClusterBlock).validate_python(Referred("trialflow-cluster", "mine")) == "mine"
    with pytest.raises(Invalid, match="type aws-credentials, and mine is one of type trialflow-cluster"):
        TypeAdapter(AwsBlock).validate_python(Referred("trialflow-cluster", "mine"))


def test_a_crashed_experiment_goes_on_with_the_same_reference() -> None:
    cluster = {"name": REFERENCE}
    crashed = CRASHED.model_copy(update={"parameters": {**CRASHED.parameters, "cluster": cluster}})
    assert parameters_again(crashed)["cluster"] == cluster


@flow(name="takes-blocks")
def takes_blocks(cluster: ClusterBlock, number: int = 0) -> str:
    """As ours do."""
    return cluster


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_flow_gets_the_name_of_the_block_and_nothing_of_what_it_holds_is_loaded_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    from prefect_kubernetes.credentials import KubernetesClusterConfig

    ours = TrialflowCluster.model_validate({"cluster_name": "mine", **HELD}).save("mine")
    theirs = KubernetesClusterConfig(config=HELD, context_name="x").save("theirs")  # its kubeconfig is in clear
    assert takes_blocks(cluster={"$ref": {"block_document_id": str(ours)}}) == "mine"
    assert takes_blocks(cluster={"$ref": str(ours)}) == takes_blocks(cluster="mine") == "mine"
    with caplog.at_level(logging.INFO):
        for wrong, said in (
            ({"cluster": {"$ref": str(theirs)}, "number": "many"}, "type kubernetes-cluster-config"),
            ({"cluster": {"$ref": IDENTIFIER}}, f"has no block {IDENTIFIER}"),
        ):
            with pytest.raises(ParameterTypeError, match=said):
                takes_blocks(**wrong)
    assert "hush" not in caplog.text and "many" in caplog.text, json.dumps(caplog.messages)
