"""The commands for clusters on AWS, as far as they go without a flow: plans, refusals, sharing, tokens."""

import json
from pathlib import Path

import pytest

from tasks.aws.session import Aws
from tasks.aws.setting_up import connection_facts
from tasks.aws.steps import creation, do
from tasks.aws.waiting import Waiter
from tasks.kubernetes.cluster.saved import Clusters
from tests.aws.clusters import MODEL, designed, spec_of
from tests.aws.sign_in import who
from tests.aws.stand import REGION, Stand
from trialflow.cli.main import call
from trialflow.home import Home

Capture = pytest.CaptureFixture[str]
FILE = "provider: AWS\ncluster_name: tiny\ncpu: {instance_type: m5.large, min_nodes: 0, max_nodes: 2}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand: Stand) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    (tmp_path / "cluster.yml").write_text(FILE)
    return tmp_path / "home"


@pytest.fixture
def made(aws: Aws, wait: Waiter) -> Aws:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    return aws


def said(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = call(["cluster", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_plan_shows_resources_and_money_and_makes_nothing(stand: Stand, capsys: Capture) -> None:
    code, out, err = said(capsys, "create", "--plan")
    assert code == 0 and "+ VPC trialflow-tiny-vpc" in out and "cost without training runs: $0.20 an hour" in out
    assert stand.user("owner").arn in err and not stand.front.changes()
    code, out, _ = said(capsys, "create", "--plan", "-o", "json")
    plan = json.loads(out)
    assert {one["action"] for one in plan["changes"]} == {"create"} and plan["cost"]["most_per_hour"] > plan["cost"]["idle_per_hour"]


def test_without_a_terminal_nothing_is_made_and_the_command_that_does_it_is_shown(stand: Stand, capsys: Capture) -> None:
    code, _, err = said(capsys, "create", "-f", "cluster.yml")
    assert code == 2 and "`trialflow cluster create -f cluster.yml --yes`" in err and not stand.front.changes()


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (FILE.replace("m5.large", "m9.huge"), 2, "instance type m9.huge is not sold in eu-west-1"),
        (FILE + "max_cost_per_hour: 0.1\n", 4, "max_cost_per_hour is 0.1"),
        ("provider: custom\ncluster_name: x\n", 2, "cannot be created, only connected to"),
        (FILE + "aws: {aws_access_key_id: AKIAX, aws_secret_access_key: hush}\n", 1, "AWS does not let us sign in"),
    ],
)
def test_what_cannot_be_made_is_refused(stand: Stand, capsys: Capture, tmp_path: Path, text: str, code: int, told: str) -> None:
    if "AKIAX" in text:
        stand.front.faults.once = "InvalidClientTokenId"
    (tmp_path / "cluster.yml").write_text(text)
    found, out, err = said(capsys, "create", "--yes")
    assert found == code and told in err and "hint:" in err and "hush" not in out + err and not stand.front.changes()


def test_destruction_is_shown_and_needs_the_name(made: Aws, stand: Stand, capsys: Capture) -> None:
    stand.front.calls.clear()
    code, out, _ = said(capsys, "destroy", "-n", "tiny", "--plan")
    assert code == 0 and "- cluster tiny" in out and "- VPC trialflow-tiny-vpc" in out
    code, _, err = said(capsys, "destroy", "-n", "tiny")
    assert code == 2 and "`trialflow cluster destroy --cluster-name tiny --region eu-west-1 --yes`" in err
    assert not stand.front.changes()


def test_a_cluster_is_shared_listed_and_taken_back(made: Aws, stand: Stand, capsys: Capture) -> None:
    guest = stand.user("guest").arn
    code, _, err = said(capsys, "share", "-n", "tiny", "--principal", guest)
    assert code == 0 and "trialflow cluster connect --cluster-name tiny --provider aws --region eu-west-1" in err
    code, out, _ = said(capsys, "share", "-n", "tiny", "-o", "name")
    assert code == 0 and set(out.split()) == {guest, stand.user("owner").arn}
    assert said(capsys, "share", "-n", "tiny", "--principal", guest, "--remove")[0] == 0
    assert guest not in said(capsys, "share", "-n", "tiny")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--principal", "arn:aws:sts::123456789012:assumed-role/a/b"], "access is given to the role"),
        (["--remove"], "whose access is to be removed?"),
        (["--principal", "arn:aws:iam::123456789012:user/owner", "--remove"], "this is your own access"),
    ],
)
def test_sharing_that_makes_no_sense_is_refused(made: Aws, stand: Stand, capsys: Capture, arguments: list[str], told: str) -> None:
    stand.front.calls.clear()
    code, _, err = said(capsys, "share", "-n", "tiny", *arguments)
    assert code == 2 and told in err and not stand.front.changes()


def test_kubectl_gets_a_token_in_its_own_words(made: Aws, stand: Stand, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    clusters = Clusters(Home.from_environment())
    clusters.check_new("tiny")
    clusters.save(connection_facts(made, "tiny"))
    monkeypatch.setenv("KUBERNETES_EXEC_INFO", json.dumps({"apiVersion": "client.authentication.k8s.io/v1beta1"}))
    code, out, _ = said(capsys, "token", "-n", "tiny")
    answer = json.loads(out)
    assert code == 0 and answer["apiVersion"].endswith("v1beta1") and answer["kind"] == "ExecCredential"
    assert who(answer["status"]["token"], endpoint=stand.url, now=datetime.now(UTC))[0] == stand.user("owner").arn
    assert datetime.fromisoformat(answer["status"]["expirationTimestamp"]) > datetime.now(UTC)


def test_a_token_for_an_unknown_cluster_asks_for_its_region(capsys: Capture) -> None:
    code, _, err = said(capsys, "token", "-n", "other")
    assert code == 2 and "--region" in err
    assert said(capsys, "token", "-n", "other", "--region", REGION)[0] == 0


def test_a_cluster_that_eks_does_not_know_is_not_connected(home: Path, capsys: Capture) -> None:
    code, _, err = said(capsys, "connect", "--provider", "aws", "-n", "other")
    assert code == 1 and "there is no cluster other in eu-west-1" in err and not (home / "clusters" / "other.json").exists()
