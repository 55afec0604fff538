"""Whatever is wrong with a cluster, an image or a file is a sentence and a hint within seconds, and no unit of budget is spent for it."""

import copy
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.kubernetes.cluster.saved import Clusters
from tests.e2e.certificates import expired_certificate
from tests.e2e.clusters import Tenant, connected
from tests.e2e.reconnecting import admin, connect, token_of
from tests.e2e.users import User
from trialflow.home import Home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SECONDS = 60.0
"""What a command may take until it tells what is wrong. It is five on a machine that does nothing else."""
Alter = Callable[[dict[str, Any], Path], Any]


@pytest.fixture(scope="module")
def tenant(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """One for all: nothing of what they try gets as far as the cluster."""
    folder = tmp_path_factory.mktemp("refusals") / "project"
    folder.mkdir()
    with connected(User(folder, home)) as tenant:
        yield tenant


def without_rights(document: dict[str, Any], folder: Path) -> None:
    document["users"][0]["user"] |= {"as": "somebody"}


def with_expired_certificate(document: dict[str, Any], folder: Path) -> None:
    document["users"][0]["user"] = expired_certificate()


CONNECTIONS: list[tuple[str, Alter | str, list[str], tuple[str, ...]]] = [
    ("a file that is not there", "none.yml", [], ("none.yml", "kubeconfig")),
    ("garbage", "apiVersion: [", [], ("kubeconfig",)),
    ("no kubeconfig", "just text", [], ("kubeconfig",)),
    ("a context that is not there", lambda document, folder: None, ["--context", "no-such-context"], ("no context 'no-such-context'",)),
    ("an expired certificate", with_expired_certificate, [], ("certificate of the kubeconfig expired on 2020-01-02", "new kubeconfig")),
    ("no rights", without_rights, ["--no-install"], ("rights are missing: create jobs.batch", "kind: Role")),
]


@pytest.mark.parametrize(("kubeconfig", "options", "words"), [case[1:] for case in CONNECTIONS], ids=[case[0] for case in CONNECTIONS])
def test_a_wrong_kubeconfig_is_told_and_the_cluster_not_kept(
    tenant: Tenant,
    kubeconfig: Alter | str,
    options: list[str],
    words: tuple[str, ...],
) -> None:
    file = tenant.user.folder / "kubeconfig"
    if isinstance(kubeconfig, str):
        if kubeconfig.endswith(".yml"):
            file = tenant.user.folder / kubeconfig
        else:
            file.write_text(kubeconfig)
    else:
        document = yaml.safe_load(Path(tenant.kubeconfig).read_text())
        kubeconfig(document, tenant.user.folder)
        file.write_text(yaml.safe_dump(document))
    name = f"wrong-{secrets.token_hex(3)}"
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "connect", "-n", name, "--kubeconfig", str(file), "--namespace", tenant.namespace, *options)
    assert_told(code, said, words, begun)
    assert name not in tenant.user.type("cluster", "list", "-o", "name")[1]


RUNS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("an image that is not there", {"image": "REGISTRY/no-such-image:1"}, ("REGISTRY", "no-such-image", "check the name")),
    ("a tag that is not there", {"image": "REGISTRY/python:3.11-slum"}, ("not with the tag 3.11-slum", "python:3.11-slim")),
    ("a Secret that is not there", {"secrets": ["no-such-secret"]}, ("Secret no-such-secret", "run.yml")),
    ("more than a node has", {"resources": {"requests": {"cpu": 64}}}, ("64 CPU", "the largest node for it, NODE, has")),
    ("GPUs that nobody has", {"resources": {"gpus": 3}}, ("3 GPU", "has none")),
    ("a pod field that is none", {"pod": {"nodeSelektor": {"a": "b"}}}, ("nodeSelektor",)),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_a_wrong_run_is_told_before_any_budget_is_spent(tenant: Tenant, change: dict[str, Any], words: tuple[str, ...]) -> None:
    tenant.write(budget=2, seconds=0)
    file = tenant.user.folder / "run.yml"
    file.write_text(json.dumps(json.loads(file.read_text()) | change).replace("REGISTRY", tenant.registry))
    node = sorted(json.loads(tenant.kubectl("get", "nodes", "-o", "json"))["items"], key=lambda one: one["metadata"]["name"])[-1]["metadata"]["name"]
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize")
    assert_told(code, said, tuple(word.replace("REGISTRY", tenant.registry).replace("NODE", node) for word in words), begun)
    assert_nothing_spent(tenant)


def test_rights_that_were_taken_away_are_told_before_the_first_launch(tenant: Tenant) -> None:
    tenant.write(budget=2, seconds=0)
    connect(tenant, token=token_of(tenant, "trialflow-flows"))
    role = json.loads(admin(tenant, "get", "role", "trialflow-flows", "-o", "json"))
    role["rules"] = [one | {"verbs": [verb for verb in one["verbs"] if verb != "create"]} for one in role["rules"]]
    admin(tenant, "replace", "-f", "-", stdin=json.dumps(role))
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize")
    assert_told(code, said, ("rights are missing: create jobs.batch, create configmaps, create secrets", "kind: Role"), begun)
    assert_nothing_spent(tenant)


def test_a_certificate_that_expired_since_is_told_before_the_first_launch(tenant: Tenant) -> None:
    connect(tenant)
    tenant.write(budget=2, seconds=0)
    clusters = Clusters(Home(tenant.user.home))
    cluster = clusters.load(clusters.current() or "")
    document = copy.deepcopy(dict(cluster.kubeconfig))
    document["users"][0]["user"] = expired_certificate()
    clusters.save(replace(cluster, kubeconfig=document))
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize")
    assert_told(code, said, ("certificate of the kubeconfig expired on 2020-01-02", "trialflow cluster connect"), begun)
    assert_nothing_spent(tenant)


def test_a_registry_where_nothing_listens_is_told(tenant: Tenant) -> None:
    connect(tenant, registry="127.0.0.1:1/nobody")
    write_project(tenant)
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize")
    assert_told(code, said, ("127.0.0.1:1", "Connection refused"), begun)
    assert_nothing_spent(tenant)


def test_a_registry_that_wants_a_login_is_told(tenant: Tenant, start_registry: Callable[..., str]) -> None:
    address = closed_registry(tenant, start_registry)
    connect(tenant, registry=f"{address}/team")
    write_project(tenant)
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize")
    assert_told(code, said, (address, f"docker login {address}"), begun)
    assert_nothing_spent(tenant)


def test_an_image_that_the_nodes_may_not_pull_ends_it_with_what_they_were_told(
    tenant: Tenant,
    start_registry: Callable[..., str],
) -> None:
    connect(tenant)
    address = closed_registry(tenant, start_registry)
    tenant.write(budget=2, seconds=0, image=f"{address}/team/model:1")
    begun = time.monotonic()
    code, _, said = tenant.user.type("cluster", "optimize", "--new")
    assert_told(code, said, (f"{address}/team/model:1", "refuses access", "the node was told"), begun)
    listed = json.loads(tenant.user.type("experiment", "list", "-o", "json")[1])
    assert [one["done/budget"] for one in listed if one["name"] == tenant.namespace] == ["0/2"] and tenant.left() == []


def closed_registry(tenant: Tenant, start_registry: Callable[..., str]) -> str:
    """A registry that wants a login which nobody here has."""
    htpasswd = tenant.user.folder.parent / "htpasswd"
    htpasswd.write_text("ada:$2b$04$H151R5sulbMda6LXuWwWb.fRrwyY/D5mGqGAFM37RXtKBfCf.Xu5q\n")
    return start_registry(auth={"htpasswd": {"realm": "r", "path": str(htpasswd)}})


def write_project(tenant: Tenant) -> None:
    """A model that has to be built."""
    tenant.write(budget=2, seconds=0)
    (tenant.user.folder / "run.yml").write_text("run: echo y=1\nmetrics: {y: 'y=(.*)'}\n")
    (tenant.user.folder / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY experiment.yml /\n")


def assert_told(code: int, said: str, words: tuple[str, ...], begun: float) -> None:
    assert code in (1, 2), said
    assert "error:" in said and "Traceback" not in said and "bug in trialflow" not in said, said
    assert "hint:" in said, said
    assert not [word for word in words if word not in said], said
    assert time.monotonic() - begun < SECONDS, said


def assert_nothing_spent(tenant: Tenant) -> None:
    code, out, said = tenant.user.type("experiment", "list", "-o", "json")
    assert code == 0, said
    assert [one for one in json.loads(out) if one["name"] == tenant.namespace] == []  # not even an experiment
    assert admin(tenant, "get", "jobs,pods", "-o", "name").strip() == ""
