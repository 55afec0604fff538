"""What is registered for which work pool, which pools are refused, and that a job template stays what it was for others."""

from copy import deepcopy
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import ValidationError, validate
from prefect.utilities.templating import apply_values
from prefect_kubernetes.worker import KubernetesWorker

from deployments.declared import DEPLOYMENTS, OPTIMIZE, POOL
from deployments.places import PROCESSES, Jobs, check_type, place_as_jobs, with_variables
from deployments.registration import load
from deployments.schema import form_of
from flows.crashes import PARAMETERS
from tasks.kubernetes.client.cluster import Cluster
from trialflow.errors import InvalidInput
from trialflow.home import INSIDE

IMAGE = f"registry.example.com/trialflow-server@sha256:{'a' * 64}"
CLUSTER = Cluster("Mine", namespace="tuning", kubeconfig={"users": [{"token": "secret"}]})
GOOD = {"name": "a", "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}], "metrics": [{"name": "y"}], "budget": 3}


def template() -> dict[str, Any]:
    return KubernetesWorker.get_default_base_job_template()


def schema(name: str, *, has_folders: bool) -> dict[str, Any]:
    one = next(one for one in DEPLOYMENTS if one.name == name)
    return form_of(parameter_schema(load(one.entrypoint)).model_dump(exclude_unset=True), has_folders=has_folders)


def filled(template: dict[str, Any], variables: dict[str, Any]) -> Any:
    """The manifest as a worker makes it."""
    known = {name: one["default"] for name, one in template["variables"]["properties"].items() if one.get("default") is not None}
    return apply_values(template["job_configuration"]["job_manifest"], {**known, **variables})


def test_processes_have_no_variables_and_no_defaults() -> None:
    assert (PROCESSES.pool, PROCESSES.job_variables, PROCESSES.parameters(("cluster", "service", "run"))) == (POOL, {}, {})


def test_jobs_get_the_image_the_namespace_and_the_service_account_of_flows_and_nothing_secret() -> None:
    variables = place_as_jobs("k8s", CLUSTER, Jobs(IMAGE, "Mine"), template()).job_variables
    assert (variables["image"], variables["namespace"], variables["service_account_name"]) == (IMAGE, "tuning", "trialflow-flows")
    assert variables["env"][INSIDE] == "mine" and "secret" not in str(variables) and "env_from" not in variables


def test_flows_that_execute_a_model_have_the_cluster_as_default_and_those_that_stop_one_are_told_which() -> None:
    place = place_as_jobs("k8s", CLUSTER, Jobs(IMAGE, "Mine"), template())
    assert place.parameters(schema("optimize", has_folders=False)["properties"]) == {"cluster": {"name": "mine"}, "service": "default"}
    assert place.parameters(schema("cluster-stop", has_folders=False)["properties"]) == {"service": "default"}
    assert place.parameters(schema("image", has_folders=False)["properties"]) == {}


def test_a_secret_with_the_service_takes_the_place_of_the_block() -> None:
    place = place_as_jobs("k8s", CLUSTER, Jobs(IMAGE, "Mine", service_secret="where"), template())
    assert place.job_variables["env_from"] == [{"secretRef": {"name": "where"}}] and "service" not in place.defaults


@pytest.mark.parametrize("name", ["optimize", "training-run"])
def test_as_a_job_no_folder_is_asked_for_and_as_a_process_one_is(name: str) -> None:
    given = {"experiment": GOOD, "run": {"run": "true", "image": "model@sha256:" + "b" * 64}}
    validate(given, schema(name, has_folders=False), raise_on_error=True)
    with pytest.raises(ValidationError, match="directory"):
        validate(given, schema(name, has_folders=True), raise_on_error=True)


def test_the_automation_may_give_null_for_each_parameter_that_the_crashed_flow_run_did_not_have() -> None:
    given = {name: None for name in PARAMETERS} | {"experiment": GOOD, "run": {"run": "true"}, "options": {"new": False}}
    validate(given, schema(OPTIMIZE.name, has_folders=False), raise_on_error=True)


def test_a_job_complies_with_the_restricted_level() -> None:
    place = place_as_jobs("k8s", CLUSTER, Jobs(IMAGE, "Mine"), template())
    manifest = filled(with_variables(template(), "k8s"), dict(place.job_variables))
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]} and not container["securityContext"]["allowPrivilegeEscalation"]
    assert [one["name"] for one in pod["volumes"]] == [one["name"] for one in container["volumeMounts"]]
    assert manifest["spec"]["backoffLimit"] > 0 and pod["serviceAccountName"] == "trialflow-flows"


def test_a_pod_asks_for_cpu_and_memory_unless_the_pool_says_how_much() -> None:
    theirs = template()
    theirs["variables"]["properties"]["memory_request"]["default"] = "2Gi"
    variables = place_as_jobs("k8s", CLUSTER, Jobs(IMAGE, "Mine"), theirs).job_variables
    assert variables["cpu_request"] == "250m" and "memory_request" not in variables
    pod = filled(with_variables(theirs, "k8s"), dict(variables))["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "250m", "memory": "2Gi"}


def test_the_jobs_of_other_deployments_are_as_before() -> None:
    assert filled(with_variables(template(), "k8s"), {"image": "theirs"}) == filled(template(), {"image": "theirs"})


def test_a_template_gets_the_variables_once_and_what_it_says_stays() -> None:
    theirs = template()
    pod = theirs["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    pod["securityContext"] = {"fsGroup": 7}
    before = deepcopy(theirs)
    made = with_variables(theirs, "k8s")
    assert theirs == before and with_variables(made, "k8s") == made
    assert made["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["securityContext"] == {"fsGroup": 7}


def test_a_template_that_cannot_be_told_the_image_is_refused() -> None:
    theirs = template()
    del theirs["variables"]["properties"]["image"]
    with pytest.raises(InvalidInput, match="work pool k8s has no variable image"):
        with_variables(theirs, "k8s")
    with pytest.raises(InvalidInput, match="no manifest of a Job"):
        with_variables({**template(), "job_configuration": {}}, "k8s")


@pytest.mark.parametrize(
    ("kind", "has_image", "wrong"),
    [
        ("process", False, None),
        ("kubernetes", True, None),
        ("kubernetes", False, "its Jobs need an image"),
        ("process", True, "run in no image"),
        ("ecs", True, "is of type ecs"),
        ("ecs", False, "is of type ecs"),
    ],
)
def test_a_pool_goes_with_an_image_or_without(kind: str, has_image: bool, wrong: str | None) -> None:
    jobs = Jobs(IMAGE, "Mine") if has_image else None
    if wrong is None:
        check_type("p", kind, jobs)
        return
    with pytest.raises(InvalidInput, match=wrong):
        check_type("p", kind, jobs)


@pytest.mark.parametrize("wrong", [{"image": "NO IMAGE"}, {"image": ""}, {"service_secret": "No/Secret"}])
def test_what_cannot_be_an_image_or_a_secret_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        Jobs(**{"image": IMAGE, "cluster": "Mine", **wrong})
