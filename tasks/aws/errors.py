"""What AWS answers becomes an error for people, here alone."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

from trialflow.errors import InvalidInput, TrialflowError

BUSY = {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled"}
FAULTS = {"InternalError", "InternalFailure", "ServerException", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "AuthorizationError"}
SIGN_IN = {
    "ExpiredToken": "the session has expired: sign in again, for example with `aws sso login`",
    "ExpiredTokenException": "the session has expired: sign in again, for example with `aws sso login`",
    "RequestExpired": "the session has expired, or this machine's clock is wrong",
    "InvalidClientTokenId": "AWS does not know this access key: check AWS_ACCESS_KEY_ID, the profile, or `aws:` in cluster.yml",
    "UnrecognizedClientException": "AWS does not know this access key: check AWS_ACCESS_KEY_ID, the profile, or `aws:` in cluster.yml",
    "AuthFailure": "AWS does not accept these credentials, or the region is not enabled for the account",
    "SignatureDoesNotMatch": "the secret access key is wrong, or this machine's clock is",
    "IncompleteSignature": "the access key or its secret is mangled: copy both again",
}
NOT_FOUND = {
    "ResourceNotFoundException",
    "NoSuchEntity",
    "RepositoryNotFoundException",
    "LifecyclePolicyNotFoundException",
    "Gateway.NotAttached",
    "InvalidVpcID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidAssociationID.NotFound",
    "InvalidVpcEndpointId.NotFound",
    "InvalidAllocationID.NotFound",
    "InvalidNetworkInterfaceID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateName.NotFoundException",
    "NatGatewayNotFound",
}
LIMITS = {
    "VpcLimitExceeded": "delete a VPC, or ask for more at Service Quotas (L-F678F1CE)",
    "AddressLimitExceeded": "release an address, or ask for more at Service Quotas (L-0263D0A3)",
    "ResourceLimitExceededException": "delete something, or ask for more at Service Quotas",
    "LimitExceeded": "delete something, or ask for more at Service Quotas",
}
GO_ON = "then the same command goes on where it stopped"


class AwsError(TrialflowError):
    """AWS did not do what it was asked. `code` is AWS's own word, `said` its message."""

    def __init__(self, message: str, *, hint: str | None = None, code: str = "", said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.said = said


class AwsUnavailable(AwsError):
    """AWS is busy, failing or not reachable: worth trying again."""


class AwsRefused(AwsError):
    """AWS will not do it, however often it is asked."""


class AwsMissing(AwsError):
    """What was asked about does not exist."""


def together(head: str, problems: Sequence[str]) -> str:
    """A message about one problem or several: one in the same line, several in a line each."""
    return f"{head}: {problems[0]}" if len(problems) == 1 else "\n  ".join([f"{head}:", *problems])


def explain(action: str, error: ClientError | BotoCoreError) -> TrialflowError:
    """The error for a call that failed; `action` is its name in a policy (`ec2:CreateVpc`)."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        hint = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, sign in with `aws sso login`, or name a Prefect block with `--credentials`"
        return InvalidInput("there are no AWS credentials", hint=hint)
    if isinstance(error, NoRegionError):
        return InvalidInput("no AWS region is set", hint="write `region:` into cluster.yml, or set AWS_REGION")
    if not isinstance(error, ClientError):
        return AwsUnavailable(f"{action} got no answer from AWS: {error}", hint=f"check the network, {GO_ON}")
    answer: Any = error.response
    code, said = str(answer.get("Error", {}).get("Code", "")), str(answer.get("Error", {}).get("Message", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    facts: Any = {"code": code, "said": said}
    if code in SIGN_IN:
        return AwsRefused(f"AWS does not let us sign in ({action}: {code})", hint=f"{SIGN_IN[code]}; {GO_ON}", **facts)
    if code in DENIED:
        return AwsRefused(
            f"these credentials may not do {action}: {said}", hint=f"add it to their policy (docs/aws.md has one to paste), {GO_ON}", **facts
        )
    if code in NOT_FOUND:
        return AwsMissing(f"{action} found nothing: {said}", **facts)
    if code in BUSY or code in FAULTS or status >= 500:
        return AwsUnavailable(f"AWS could not do {action} now: {code}: {said}", hint=f"wait a little, {GO_ON}", **facts)
    return AwsRefused(f"AWS refused {action}: {code}: {said}", hint=f"{LIMITS[code]}; {GO_ON}" if code in LIMITS else None, **facts)
