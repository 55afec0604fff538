"""AWS credentials that Prefect keeps: a block of prefect-aws, by name."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class AwsSecrets:
    """The keys of an AWS identity. The secrets are left out of `repr`, so that no log shows them."""

    access_key_id: str | None
    secret_access_key: str | None = field(repr=False)
    session_token: str | None = field(repr=False)
    region: str | None
    profile: str | None = None
    role: str | None = None
    """The parameters of `sts:AssumeRole` as JSON, for a role to take on."""


async def load_aws(name: str) -> AwsSecrets:
    """The keys in the `AwsCredentials` block of that name; fields that it leaves empty, for the machine's own identity, are None.

    Raises ValueError, as Prefect does, if there is no such block.
    """
    from prefect_aws import AwsCredentials

    block = await AwsCredentials.aload(name)
    secret = block.aws_secret_access_key.get_secret_value() if block.aws_secret_access_key else None
    role = {"RoleArn": block.assume_role_arn, **block.assume_role_kwargs.get_params_override()} if block.assume_role_arn else None
    return AwsSecrets(
        block.aws_access_key_id,
        secret,
        block.aws_session_token,
        block.region_name,
        block.profile_name,
        json.dumps(role) if role else None,
    )
