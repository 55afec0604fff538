"""Signing in to EKS: the token is what AWS takes, is renewed before it ends, and needs no helper program."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.aws_steps import keys_of_block
from tasks.aws.access_entries import check_principal, ensure_access, read_access, remove_access
from tasks.aws.session import Aws, Keys
from tasks.aws.setting_up import connection_facts, kubeconfig
from tasks.aws.steps import creation, do
from tasks.aws.waiting import Waiter
from tasks.kubernetes.client.credentials import Credentials
from tasks.kubernetes.client.eks_token import TOKEN_SECONDS, EksSignIn, eks_credential, sign, sign_in_of
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.kubeconfig import user_of
from tests.aws.clusters import MODEL, designed, spec_of
from tests.aws.sign_in import Refused, who
from tests.aws.stand import REGION, Stand
from trialflow.errors import InvalidInput

FOUND = {"endpoint": "https://eks.example.com", "certificateAuthority": {"data": base64.b64encode(b"authority").decode()}}


@pytest.fixture
def made(stand: Stand, aws: Aws, wait: Waiter) -> Stand:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    return stand


def known(stand: Stand, token: str, *, later: float = 0.0) -> tuple[str, list[str]]:
    return who(token, endpoint=stand.url, now=datetime.now(UTC) + timedelta(seconds=later))


def test_the_owner_is_known_and_may_do_everything(made: Stand) -> None:
    assert known(made, sign(EksSignIn("tiny", REGION))) == (made.user("owner").arn, ["system:masters"])


def test_a_token_is_for_one_cluster_one_quarter_of_an_hour_and_one_identity(made: Stand) -> None:
    token = sign(EksSignIn("tiny", REGION))
    for refused in (lambda: known(made, token, later=901), lambda: known(made, sign(EksSignIn("other", REGION))), lambda: known(made, token + "A")):
        with pytest.raises(Refused):
            refused()
    wrong = EksSignIn("tiny", REGION, {"AWS_ACCESS_KEY_ID": made.user("owner").access_key_id, "AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(Refused, match="signature"):
        known(made, sign(wrong))


def test_a_guest_is_let_in_by_sharing_and_kept_out_again(made: Stand, aws: Aws, wait: Waiter) -> None:
    guest = made.user("guest")
    sign_in = EksSignIn("tiny", REGION, Keys(guest.access_key_id, guest.secret_access_key).environment())
    with pytest.raises(Refused, match="no access entry"):
        known(made, sign(sign_in))
    ensure_access(aws, "tiny", guest.arn, wait)
    ensure_access(aws, "tiny", guest.arn, wait)
    assert known(made, sign(sign_in)) == (guest.arn, ["system:masters"])
    ensure_access(aws, "tiny", guest.arn, wait, policy="view")
    assert [one.policies for one in read_access(aws, "tiny") if one.principal == guest.arn] == [("AmazonEKSViewPolicy",)]
    assert remove_access(aws, "tiny", guest.arn) and not remove_access(aws, "tiny", guest.arn)
    with pytest.raises(Refused):
        known(made, sign(sign_in))


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("arn:aws:sts::123456789012:assumed-role/team/me", "access is given to the role"),
        ("me", "is not the ARN of a user or role"),
        ("arn:aws:iam::123456789012:policy/x", "is not the ARN"),
    ],
)
def test_only_users_and_roles_get_access(arn: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_principal(arn)
    assert check_principal("arn:aws:iam::123456789012:role/team/me")


async def test_a_token_is_renewed_before_it_ends(stand: Stand) -> None:
    now, signed = 1000.0, 0

    async def fetch() -> Any:
        nonlocal signed
        signed += 1
        return eks_credential(EksSignIn("tiny", REGION), now)

    credentials = Credentials(fetch, clock=lambda: now)
    first = await credentials.current()
    assert await credentials.current() is first
    now += TOKEN_SECONDS - 20
    assert await credentials.current() is not first and signed == 2


def test_the_kubeconfig_holds_no_token_and_says_how_to_get_one(stand: Stand) -> None:
    sign_in = EksSignIn("tiny", REGION, {"AWS_PROFILE": "team"})
    document = kubeconfig(FOUND, sign_in)
    assert "k8s-aws" not in json.dumps(document) and sign_in_of(user_of(document)) == sign_in
    plugin = user_of(document)["exec"]
    assert [plugin["command"], *plugin["args"]] == ["trialflow", "cluster", "token", "--cluster-name", "tiny", "--region", REGION]


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"token": "x"},
        {"exec": {"command": "aws", "args": ["cluster", "token", "--cluster-name", "x", "--region", "y"]}},
        {"exec": {"command": "trialflow", "args": ["token"]}},
        {"exec": {"command": "trialflow", "args": ["cluster", "token", "--cluster-name", "x"]}},
    ],
)
def test_other_ways_to_sign_in_are_not_taken_for_ours(user: dict[str, Any]) -> None:
    assert sign_in_of(user) is None


async def test_a_block_may_name_a_role_which_is_taken_on_and_taken_on_again(made: Stand, aws: Aws, wait: Waiter, monkeypatch: Any) -> None:
    from prefect_aws import AwsCredentials

    role = aws.iam.create_role(RoleName="team", Path="/ops/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    user = made.user("owner")
    block = AwsCredentials(
        aws_access_key_id=user.access_key_id,
        aws_secret_access_key=user.secret_access_key,
        region_name=REGION,
        assume_role_arn=role,
        assume_role_kwargs={"RoleSessionName": "session", "DurationSeconds": 900},
    )

    async def load(name: str) -> AwsCredentials:
        return block

    monkeypatch.setattr(AwsCredentials, "aload", load)
    keys = await keys_of_block("team")
    ours = Aws(keys)
    assert ours.identity["Arn"].endswith(":assumed-role/team/session") and ours.principal == role
    assert user.secret_access_key not in repr(keys) and Keys.from_environment(keys.environment()) == Keys(**{**vars(keys), "region": None})
    ensure_access(aws, "tiny", role, wait)
    sign_in = EksSignIn("tiny", REGION, keys.environment())
    assert known(made, sign(sign_in))[0] == role
    made.front.calls.clear()
    credentials: Any = ours.session.get_credentials()
    credentials._expiry_time = datetime.now(UTC) + timedelta(seconds=5)
    ours.ec2.describe_vpcs()
    assert made.front.calls == ["sts:AssumeRole", "ec2:DescribeVpcs"]


def test_without_any_identity_it_is_said(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ClusterRefused, match="there are no AWS credentials"):
        sign(EksSignIn("tiny", REGION))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(ClusterRefused, match="missing"):
        sign(EksSignIn("tiny", REGION))


def test_a_cluster_that_is_not_there_is_named_with_its_region(stand: Stand, aws: Aws) -> None:
    with pytest.raises(Exception, match="there is no cluster other in eu-west-1 of account 123456789012"):
        connection_facts(aws, "other")


def test_keys_are_not_shown(stand: Stand, aws: Aws) -> None:
    keys = Keys("AKIA", "hush", "hush")
    sign_in = EksSignIn("tiny", REGION, keys.environment())
    assert "hush" not in repr(keys) + repr(sign_in)
