"""Signing in to EKS: a token that is a signed question to AWS, made here and renewed before it ends. No helper program is needed.

The API server asks AWS the question, and so learns who signed it. The token names no key and is worth nothing for any other call.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.kubernetes.client.aws_identity import session_of
from tasks.kubernetes.client.credentials import Credential
from tasks.kubernetes.client.errors import ClusterRefused

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
URL_SECONDS = 60
"""What AWS's own tool writes into the signed address; API servers go by the time of signing."""
TOKEN_SECONDS = 600.0
"""After how long we sign a new one: API servers accept one for 15 minutes."""
COMMAND = ("cluster", "token")


@dataclass(frozen=True)
class EksSignIn:
    """Whose token it is: an EKS cluster and its region, and the variables that choose the AWS identity."""

    cluster: str
    region: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def exec_entry(self) -> dict[str, Any]:
        """The `exec` of a kubeconfig: for kubectl the command `trialflow cluster token`, for us all that `sign_in_of` reads back."""
        return {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "trialflow",
            "args": [*COMMAND, "--cluster-name", self.cluster, "--region", self.region],
            "env": [{"name": name, "value": value} for name, value in self.environment.items()],
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }


def sign_in_of(user: Mapping[str, Any]) -> EksSignIn | None:
    """How the user of a kubeconfig signs in to EKS by trialflow's own command; None for every other user."""
    plugin = user.get("exec") or {}
    arguments: Sequence[str] = [str(one) for one in plugin.get("args") or []]
    if tuple(arguments[:2]) != COMMAND or str(plugin.get("command", "")).rpartition("/")[2] != "trialflow":
        return None
    pairs = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    if "--cluster-name" not in pairs or "--region" not in pairs:
        return None
    return EksSignIn(pairs["--cluster-name"], pairs["--region"], {str(one["name"]): str(one["value"]) for one in plugin.get("env") or []})


def eks_credential(sign_in: EksSignIn, now: float) -> Credential:
    """A new token, to be renewed after `TOKEN_SECONDS`. Raises `ClusterRefused` if there is no AWS identity to sign with."""
    return Credential(f"Bearer {sign(sign_in)}", expires=now + TOKEN_SECONDS)


def sign(sign_in: EksSignIn) -> str:
    """The token. The AWS identity is that of the variables, else whatever the usual chain of AWS finds, refreshed if it has to be."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.signers import RequestSigner

    try:
        session = session_of(sign_in.environment, sign_in.region)
        credentials = session.get_credentials()
        if credentials is None:
            raise ClusterRefused(
                f"could not sign in to cluster {sign_in.cluster}: there are no AWS credentials",
                hint="set AWS_PROFILE or AWS_ACCESS_KEY_ID, or sign in with `aws sso login`",
            )
        sts = session.client("sts", region_name=sign_in.region)
        signer = RequestSigner(sts.meta.service_model.service_id, sign_in.region, "sts", "v4", credentials, session.events)
        url = signer.generate_presigned_url(
            {
                "method": "GET",
                "url": f"{sts.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
                "body": {},
                "headers": {CLUSTER_HEADER: sign_in.cluster},
                "context": {},
            },
            region_name=sign_in.region,
            expires_in=URL_SECONDS,
            operation_name="",
        )
    except (BotoCoreError, ClientError) as error:
        raise ClusterRefused(f"could not sign in to cluster {sign_in.cluster}: {error}", hint="check AWS_PROFILE, or sign in again") from error
    assert url is not None  # botocore gives None only for clients of its own making
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
