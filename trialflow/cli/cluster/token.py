"""`trialflow cluster token`: what kubectl calls to sign in to a cluster on AWS."""

import json
import os
from datetime import UTC, datetime, timedelta

import click

from trialflow.cli.cluster.on_aws import known_sign_in
from trialflow.errors import InvalidInput

VERSION = "client.authentication.k8s.io/v1"


@click.command()
@click.option("-n", "--cluster-name", metavar="NAME", required=True, help="The cluster's name in EKS.")
@click.option("--region", metavar="NAME", help="Its AWS region; by default that of the connected cluster of this name.")
def token(cluster_name: str, region: str | None) -> None:
    """Print a token for a cluster on AWS, as kubectl expects it. It is valid for some minutes, and signed without asking AWS."""
    from tasks.kubernetes.client.eks_token import TOKEN_SECONDS, EksSignIn, sign

    known = known_sign_in(cluster_name)
    if region is None and known is None:
        raise InvalidInput(f"no cluster {cluster_name!r} on AWS is connected", hint="name its region with `--region`")
    sign_in = known if known and region in (None, known.region) else EksSignIn(cluster_name, str(region))
    asked = json.loads(os.environ.get("KUBERNETES_EXEC_INFO") or "{}")
    expires = datetime.now(UTC) + timedelta(seconds=TOKEN_SECONDS)
    status = {"expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": sign(sign_in)}
    click.echo(json.dumps({"apiVersion": asked.get("apiVersion", VERSION), "kind": "ExecCredential", "status": status}))
