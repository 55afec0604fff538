"""`trialflow cluster`: connecting twice is the same as once, and what is wrong is a sentence and a hint within seconds."""

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import given
from trialflow.cli.main import call

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME", "TRIALFLOW_DEBUG"):
        monkeypatch.setenv(name, "")  # so that what a session sets is undone
        monkeypatch.delenv(name)
    return tmp_path / "home"


@pytest.fixture
def kubeconfig() -> Path:
    return Path(given.kubeconfig())


@pytest.fixture
def namespace(kubeconfig: Path) -> Iterator[str]:
    name = f"trialflow-cli-{secrets.token_hex(4)}"
    yield name
    for what in (["namespace", name], ["clusterrolebinding", f"trialflow-flows-{name}"]):
        delete = ["kubectl", "--kubeconfig", str(kubeconfig), "delete", "--wait=false", "--ignore-not-found", *what]
        subprocess.run(delete, check=True, capture_output=True)


def said(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = call(["cluster", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def typed(*arguments: str) -> tuple[int, str, str]:
    """As a person types it: a process each, because the Prefect server that one brings up ends with it."""
    program = [sys.executable, "-c", "from trialflow.cli.main import main; main()", "cluster", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def altered(kubeconfig: Path, folder: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    document = yaml.safe_load(kubeconfig.read_text())
    document["clusters"][0]["cluster"] |= cluster
    if user is not None:
        document["users"][0]["user"] = user
    (folder / "altered").write_text(yaml.safe_dump(document))
    return str(folder / "altered")


@pytest.mark.cluster
def test_a_prefect_server_that_does_not_answer_is_told_as_such(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    code, _, words = typed("connect", "-n", "mine", "--provider", "custom", "--kubeconfig", str(kubeconfig), "--no-install")
    assert code == 1 and "error: Prefect's server does not answer" in words and "hint: PREFECT_API_URL names it" in words


@pytest.mark.cluster
def test_connect_twice_test_list_and_disconnect(kubeconfig: Path, namespace: str, home: Path) -> None:
    options = ["connect", "-n", "mine", "--provider", "custom", "--kubeconfig", str(kubeconfig), "--namespace", namespace]
    code, _, words = typed(*options, "--registry", os.environ.get("TRIALFLOW_TEST_REGISTRY", "127.0.0.1:5000"))
    assert code == 0 and f"Namespace {namespace}: made" in words and "connected cluster mine" in words
    code, out, _ = typed("test", "-o", "json")
    assert code == 0 and {one["state"] for one in json.loads(out)} == {"ok"}
    kept = (home / "clusters" / "mine.json").read_text()
    code, _, words = typed(*options)
    assert code == 0 and f"Namespace {namespace}: was there" in words and ": made" not in words
    assert json.loads((home / "clusters" / "mine.json").read_text()) == json.loads(kept) | {"registry": None}
    code, out, _ = typed("list", "-o", "json")
    assert code == 0 and json.loads(out)[0]["current"] and "client-key-data" not in out
    code, out, _ = typed("kubectl", "--", "get", "serviceaccounts", "-o", "name")
    assert code == 0 and "serviceaccount/trialflow-model" in out
    assert typed("kubectl", "--", "get", "pod", "none")[0] == 1
    code, _, words = typed("install-plugins")
    assert code == 0 and "GPUs: " in words
    code, _, words = typed("disconnect", "mine")
    assert code == 0 and "nothing on it was touched" in words and typed("list", "-o", "name")[1] == ""


@pytest.mark.cluster
def test_test_fails_with_the_fix_where_something_is_lacking(kubeconfig: Path, namespace: str, home: Path, capsys: Capture) -> None:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.home import Home

    document, _ = load_kubeconfig(str(kubeconfig), None, environ={})
    Clusters(Home(home)).save(Cluster("mine", namespace=namespace, kubeconfig=document, registry="127.0.0.1:1"))
    code, out, _ = said(capsys, "test", "-o", "json")
    found = {one["what"]: one for one in json.loads(out)}
    assert code == 1 and [name for name, one in found.items() if one["state"] == "fail"] == ["namespace", "accounts", "registry"]
    assert "install-plugins" in found["namespace"]["fix"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"server": "https://127.0.0.1:1"}, ("connection refused", "is the cluster up")),
        ({"user": {"token": "wrong"}}, ("401", "expired")),
        ({"user": {"auth-provider": {"name": "gcp"}}}, ("removed", "gke-gcloud-auth-plugin")),
        ({"user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-program"}}}, ("not in PATH", "install it")),
        ({"certificate-authority-data": base64.b64encode(b"x").decode()}, ("is no certificate", "new kubeconfig")),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(kubeconfig: Path, tmp_path: Path, home: Path, change: dict, words: tuple, capsys: Capture) -> None:
    begun = time.monotonic()
    code, _, told = said(capsys, "connect", "-n", "mine", "--kubeconfig", altered(kubeconfig, tmp_path, **change))
    assert code in (1, 2) and all(word in told for word in words) and "hint:" in told and "Traceback" not in told
    assert time.monotonic() - begun < 10 and not (home / "clusters").exists()


@pytest.mark.cluster
def test_a_user_without_rights_is_told_what_to_ask_for(kubeconfig: Path, tmp_path: Path, home: Path, capsys: Capture) -> None:
    create = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", "kube-public", "create", "token", "default"]
    token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    path = altered(kubeconfig, tmp_path, user={"token": token})
    code, _, told = said(capsys, "connect", "-n", "mine", "--kubeconfig", path, "--namespace", "kube-public", "--no-install")
    assert code == 1 and "these rights are missing: create jobs.batch" in told and "kind: Role" in told and token not in told
    assert not (home / "clusters").exists()


def test_for_a_cluster_on_aws_a_kubeconfig_is_refused(capsys: Capture) -> None:
    code, _, told = said(capsys, "connect", "--provider", "aws", "-n", "mine", "--kubeconfig", "x", "--context", "y")
    assert code == 2 and "--kubeconfig and --context cannot be used with provider aws" in told


def test_names_are_suggested_and_missing_ones_asked_for(capsys: Capture) -> None:
    assert "did you mean `trialflow cluster connect`?" in said(capsys, "conect")[2]
    assert "the cluster needs a name" in said(capsys, "connect")[2]
    assert "there is no kubeconfig" in said(capsys, "connect", "-n", "x")[2]
    for command in ("test", "kubectl", "install-plugins", "disconnect"):
        code, _, told = said(capsys, command)
        assert code == 2 and "no cluster is connected" in told and "hint:" in told


def test_without_kubectl_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.home import Home

    Clusters(Home(home)).save(Cluster("mine"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert said(capsys, "kubectl", "--", "get", "pods")[::2] == (
        1,
        "error: there is no kubectl in PATH\nhint: https://kubernetes.io/docs/tasks/tools/ says how to get it\n",
    )


@pytest.fixture
def echoing_kubectl(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """A kubectl that prints its arguments and whether it was given a kubeconfig; two clusters are connected."""
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.home import Home

    entry = {"contexts": [{"name": "c", "context": {"cluster": "c"}}], "clusters": [{"name": "c", "cluster": {"server": "https://u:p4ss@h"}}]}
    for name in ("other", "mine"):
        Clusters(Home(home)).save(Cluster(name, kubeconfig={**entry, "current-context": name}))
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$*"\ngrep -o \'current-context": "[a-z]*\' "$KUBECONFIG"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def run(*arguments: str) -> tuple[int, list[str]]:
        capfd.readouterr()
        code = call(["cluster", "kubectl", *arguments])
        return code, capfd.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    ("arguments", "passed", "context"),
    [
        (("-n", "kube-system", "get", "pods"), "-n kube-system get pods", "mine"),
        (("--", "get", "pods", "-o", "name"), "get pods -o name", "mine"),
        (("get", "pods", "--help"), "get pods --help", "mine"),
        (("--cluster-name", "other", "get", "pods", "-n", "x"), "get pods -n x", "other"),
        (("--cluster-name=other", "--", "version"), "version", "other"),
        (("exec", "p", "--", "sh", "-c", "x"), "exec p -- sh -c x", "mine"),
    ],
)
def test_kubectl_gets_its_arguments_as_they_were_typed(echoing_kubectl: Any, arguments: tuple[str, ...], passed: str, context: str) -> None:
    assert echoing_kubectl(*arguments) == (0, [passed, f'current-context": "{context}'])


def test_kubectls_own_help_is_shown(echoing_kubectl: Any) -> None:
    assert echoing_kubectl("--help")[1][0] == "--help"


def test_stopping_nothing_is_nothing_to_do(capsys: Capture) -> None:
    code, out, told = said(capsys, "stop")
    assert code == 0 and out == "" and "nothing to stop" in told and "trialflow cluster stop experiment/12" in told


def test_an_address_is_listed_without_its_login(echoing_kubectl: Any, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert call(["cluster", "list", "-o", "json"]) == 0
    out = capfd.readouterr().out
    assert "p4ss" not in out and "https://***@h" in out
