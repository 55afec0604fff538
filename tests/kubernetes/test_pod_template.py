"""The Job of an attempt: what Kubernetes would change stays as it was meant, and the user's own fields are laid over ours."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trialflow.launcher
from tasks.compute import Attempt
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.jobs.overlay import overlaid
from tasks.kubernetes.jobs.pod_template import LAUNCHER_FILES, Mode, PodTemplate, job, job_name, pod_template
from tasks.kubernetes.jobs.starting import hopeless, wants_next_mode
from trialflow.specs import RunSpec

RUN = {"id": "34", "name": "run-abcd1234", "assignments": {"x": 0.5}, "logs": {"all": {"content": "long"}}}
ATTEMPT = Attempt(RUN, 1, ["sh", "-c", "echo $$ $(date)"], "p", experiment_id="12", environment={"A": "$(B)"}, timeout=90)
IMAGE = ImageFacts("i@sha256:1")


def made(mode: Mode = "shell", attempt: Attempt = ATTEMPT, image: ImageFacts = IMAGE, **template: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = job(attempt, PodTemplate(**{"uid": "experiment-1", "image": image, **template}), mode)["spec"]["template"]["spec"]
    return spec, spec["containers"][0]


def test_a_job_is_named_after_its_training_run_and_attempt() -> None:
    assert job_name(ATTEMPT) == "run-abcd1234"
    assert job_name(Attempt(RUN, 3, [], "p")) == "run-abcd1234-3"


def test_a_pod_gets_every_file_that_its_launcher_imports() -> None:
    folder = Path(trialflow.launcher.__file__).parent
    wanted, found = {"pod.py", "shim/sitecustomize.py"}, set()
    while wanted - found:
        name = (wanted - found).pop()
        found.add(name)
        wanted |= {f"{module}.py" for module in re.findall(r"^ *from (?:\.|launcher\.)(\w+) import", (folder / name).read_text(), re.MULTILINE)}
    assert found == set(LAUNCHER_FILES)


def test_the_template_is_made_of_run_yml_image_and_cluster() -> None:
    run = RunSpec.model_validate(
        {"run": "true", "secrets": ["mine"], "resources": {"gpus": 1, "limits": {"memory": "1Gi"}}, "pod": {"hostIPC": False}}
    )
    template = pod_template(run, IMAGE, Cluster("c", api_url="http://service"), uid="experiment-1", has_keys=True, flow_run="f")
    assert template == PodTemplate(
        uid="experiment-1",
        image=IMAGE,
        limits={"memory": "1Gi"},
        gpus=1,
        secret="experiment-1",
        secrets=("mine",),
        service_account="trialflow-model",
        api_url="http://service",
        flow_run="f",
        pod={"hostIPC": False},
    )
    assert pod_template(RunSpec(), IMAGE, Cluster("c"), uid="u").secret is None


def test_dollars_of_the_user_survive_kubernetes() -> None:
    _, container = made()
    assert container["args"][-1] == "echo $$$$ $$(date)"
    assert {"name": "A", "value": "$$(B)"} in container["env"]


@pytest.mark.parametrize(("mode", "first"), [("shell", "sh"), ("python", "python3")])
def test_the_images_entrypoint_stays_between_launcher_and_command(mode: Mode, first: str) -> None:
    _, container = made(mode, image=replace(IMAGE, entrypoint=("/entry", "-x")))
    assert container["command"][0] == first and container["args"][-5:-3] == ["/entry", "-x"]


def test_an_unknown_entrypoint_is_left_to_kubernetes() -> None:
    assert "command" not in made(image=replace(IMAGE, entrypoint=None))[1] and "command" not in made("bare")[1]


def test_without_a_launcher_the_time_limit_is_the_pods() -> None:
    assert made("bare")[0]["activeDeadlineSeconds"] == 90 and "activeDeadlineSeconds" not in made()[0]


@pytest.mark.parametrize(("user", "expected"), [("", 1000), ("root", 1000), ("0:0", 1000), ("app", 1000), ("1234", None), ("1234:5", None)])
def test_nobody_runs_as_root(user: str, expected: int | None) -> None:
    security = made(image=replace(IMAGE, user=user))[0]["securityContext"]
    assert security["runAsNonRoot"] and security.get("runAsUser") == expected


def test_gpu_nodes_are_kept_away_from_unless_a_gpu_is_asked_for() -> None:
    def unwanted(spec: dict[str, Any]) -> list[str]:
        terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        return terms[0]["matchExpressions"][0]["values"]

    assert unwanted(made()[0]) == ["system", "gpu"]
    spec, container = made(gpus=2)
    assert unwanted(spec) == ["system"] and container["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_nothing_large_and_no_secret_is_in_the_manifest() -> None:
    text = json.dumps(job(ATTEMPT, PodTemplate(uid="u", image=IMAGE, secret="u", api_url="http://x")))
    assert "long" not in text and "TRIALFLOW_UPSTREAM_URL" in text


@pytest.mark.parametrize(
    ("mode", "name"), [("shell", "TRIALFLOW_UPSTREAM_TOKEN"), ("python", "TRIALFLOW_UPSTREAM_TOKEN"), ("bare", "SIGOPT_API_TOKEN")]
)
def test_a_pod_that_reaches_the_service_takes_its_token_from_a_secret_of_its_own(mode: Mode, name: str) -> None:
    _, container = made(mode, api_url="http://x")
    given = [one for one in container["env"] if one["name"].endswith("_TOKEN")]
    assert given == [{"name": name, "valueFrom": {"secretKeyRef": {"name": job_name(ATTEMPT), "key": "token"}}}] and "envFrom" not in container
    assert not [one for one in made(mode)[1]["env"] if one["name"].endswith("_TOKEN")]


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": 1}, {"a": None}, {}),
        (
            {"containers": [{"name": "model", "image": "i"}]},
            {"containers": [{"name": "model", "tty": True}, {"name": "side"}]},
            {"containers": [{"name": "model", "image": "i", "tty": True}, {"name": "side"}]},
        ),
        ({"args": ["a"]}, {"args": ["b"]}, {"args": ["b"]}),
    ],
)
def test_the_users_fields_are_laid_over_ours(below: dict[str, Any], above: dict[str, Any], expected: dict[str, Any]) -> None:
    assert overlaid(below, above) == expected


def waiting(reason: str, message: str) -> dict[str, Any]:
    status = {"name": "model", "image": "r/x:1", "state": {"waiting": {"reason": reason, "message": message}}}
    conditions = [{"type": "PodScheduled", "status": "True"}]
    return {"metadata": {}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending", "conditions": conditions, "containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("reason", "message", "is_hopeless"),
    [
        ("ErrImagePull", "rpc error: code = NotFound desc = r/x:1: not found", True),
        ("ErrImagePull", "dial tcp: i/o timeout", False),
        ("ImagePullBackOff", "Back-off pulling image", False),
        ("CreateContainerConfigError", 'secret "s" not found', True),
        ("ContainerCreating", "", False),
    ],
)
def test_only_what_does_not_go_away_by_itself_is_hopeless(reason: str, message: str, is_hopeless: bool) -> None:
    assert (hopeless(waiting(reason, message)) is not None) == is_hopeless


def test_an_image_without_a_shell_is_started_in_another_way() -> None:
    def failed(program: str) -> dict[str, Any]:
        message = f'exec: "{program}": executable file not found in $PATH'
        ended = {"terminated": {"exitCode": 128, "reason": "StartError", "message": message}}
        return {"metadata": {}, "status": {"containerStatuses": [{"name": "model", "state": ended}]}}

    assert wants_next_mode(failed("sh"), "shell") and wants_next_mode(failed("python3"), "python")
    assert not wants_next_mode(failed("mine"), "shell") and not wants_next_mode(failed("sh"), "bare")
