"""Secrets that a model gets as variables: from the process that calls a flow, or from a block. Flow parameters are shown and hold none."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from blocks.aws import AwsSecrets

model_secrets: ContextVar[Mapping[str, str] | None] = ContextVar("model_secrets", default=None)
"""Variables that whoever calls a flow in this process has for the model, such as the AWS keys of run.yml."""


async def secrets_of_model(aws_block: str | None) -> dict[str, str]:
    """Variable -> value: those of the calling process, and the keys of the AWS credentials block, if one is named.

    Raises `InvalidInput` if there is no such block.
    """
    secrets = dict(model_secrets.get() or {})
    if aws_block:
        from blocks.aws import load_aws  # comes with Prefect, whose variables a command sets after it has read run.yml

        try:
            found = await load_aws(aws_block)
        except ValueError as error:
            message = f"there is no AWS credentials block called {aws_block!r} on this Prefect server"
            raise InvalidInput(message, hint="`prefect block ls` lists the blocks") from error
        if found.role:
            message = f"the AWS credentials block {aws_block!r} takes on a role, and what it then has ends sooner than training runs may"
            raise InvalidInput(
                message, hint="on a cluster that trialflow made, `aws.additional_policies` of cluster.yml gives them rights without keys"
            )
        secrets |= aws_variables(found)
    return secrets


def aws_variables(keys: "AwsSecrets") -> dict[str, str]:
    """The variables that AWS's libraries read. What the block leaves empty is left out."""
    pairs = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
        "AWS_DEFAULT_REGION": keys.region,
    }
    return {name: value for name, value in pairs.items() if value}
