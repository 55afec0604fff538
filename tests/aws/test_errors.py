"""What AWS answers becomes a sentence and what to do."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from tasks.aws.errors import AwsMissing, AwsRefused, AwsUnavailable, explain
from tasks.aws.session import Aws, Keys
from tests.aws.stand import REGION, Stand
from trialflow.errors import InvalidInput


def answer(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "its words"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "CreateVpc")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("code", "kind", "said", "hint"),
    [
        ("ExpiredToken", AwsRefused, "does not let us sign in", "aws sso login"),
        ("InvalidClientTokenId", AwsRefused, "does not let us sign in", "does not know this access key"),
        ("SignatureDoesNotMatch", AwsRefused, "does not let us sign in", "clock"),
        ("UnauthorizedOperation", AwsRefused, "may not do ec2:CreateVpc: its words", "add it to their policy"),
        ("AccessDeniedException", AwsRefused, "may not do ec2:CreateVpc", "goes on where it stopped"),
        ("VpcLimitExceeded", AwsRefused, "AWS refused ec2:CreateVpc", "L-F678F1CE"),
        ("Throttling", AwsUnavailable, "could not do ec2:CreateVpc now", "wait a little"),
        ("NoSuchEntity", AwsMissing, "found nothing: its words", None),
        ("Strange", AwsRefused, "AWS refused ec2:CreateVpc: Strange: its words", None),
    ],
)
def test_a_refusal_says_what_was_tried_what_came_back_and_what_to_do(code: str, kind: type[Exception], said: str, hint: str | None) -> None:
    error = explain("ec2:CreateVpc", answer(code))
    assert type(error) is kind and said in error.message
    assert hint is None or hint in str(error.hint)


def test_a_fault_of_aws_is_worth_trying_again() -> None:
    assert isinstance(explain("x:Y", answer("Strange", 503)), AwsUnavailable)
    assert isinstance(explain("x:Y", EndpointConnectionError(endpoint_url="https://x")), AwsUnavailable)
    assert isinstance(explain("x:Y", NoCredentialsError()), InvalidInput)


def test_a_region_that_is_missing_is_asked_for(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(InvalidInput, match="no AWS region is set"):
        Aws(Keys())


def test_the_file_comes_before_the_environment(stand: Stand) -> None:
    guest = stand.user("guest")
    assert Aws(Keys(guest.access_key_id, guest.secret_access_key), region=REGION).principal == guest.arn
    assert Aws(region=REGION).principal == stand.user("owner").arn
