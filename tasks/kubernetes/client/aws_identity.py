"""The AWS identity that variables choose: a pair of keys, a profile, a role taken on with either, else whatever AWS's usual chain finds."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

ROLE = "TRIALFLOW_AWS_ROLE"
"""The variable with the parameters of `sts:AssumeRole`, as JSON: AWS's own variables name a role only in profiles."""
IDENTITY = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "profile": "AWS_PROFILE",
    "role": ROLE,
}
"""What an identity consists of, and the variable for each part."""


def session_of(variables: Mapping[str, str], region: str | None) -> "boto3.Session":
    """A session of that identity. Credentials that end are refreshed while it is used. Raises `BotoCoreError`."""
    import boto3

    session = boto3.Session(
        aws_access_key_id=variables.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=variables.get("AWS_SESSION_TOKEN"),
        profile_name=variables.get("AWS_PROFILE"),
        region_name=region,
    )
    return _as_role(session, json.loads(variables[ROLE])) if variables.get(ROLE) else session


def _as_role(session: "boto3.Session", asked: dict[str, Any]) -> "boto3.Session":
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError

    source = session.get_credentials()
    if source is None:
        raise NoCredentialsError

    def client(service: str, **parameters: Any) -> Any:
        return session.client(service, **{"region_name": session.region_name, **parameters})

    more = {name: value for name, value in asked.items() if name != "RoleArn"}
    fetcher = AssumeRoleCredentialFetcher(client, source, asked["RoleArn"], extra_args={"RoleSessionName": "trialflow", **more})
    inner = botocore.session.Session()
    inner._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # type: ignore[attr-defined]
    return boto3.Session(botocore_session=inner, region_name=session.region_name)
