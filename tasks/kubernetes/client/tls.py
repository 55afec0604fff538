"""TLS with the API server: whom we believe, and the certificate that we show."""

import base64
import ssl
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.kubernetes.client.errors import RECONNECT, ClusterRefused
from trialflow.errors import InvalidInput


def tls_context(facts: Mapping[str, Any]) -> ssl.SSLContext:
    """The TLS context for the `cluster` entry of a self-contained kubeconfig. Raises `InvalidInput` if its authority is no certificate."""
    data = facts.get("certificate-authority-data")
    try:
        context = ssl.create_default_context(cadata=base64.b64decode(data).decode() if data else None)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInput(f"`certificate-authority` of the kubeconfig is no certificate: {error}", hint="get a new kubeconfig") from error
    # Python 3.13 asks for extensions that the authorities of many clusters lack. Kubernetes' own clients do not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if facts.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Have `context` show a client certificate (PEM). Python takes one only from files: they are the user's alone, and deleted at once."""
    with tempfile.TemporaryDirectory(prefix="trialflow-") as folder:
        paths = [Path(folder) / name for name in ("certificate", "key")]
        for path, text in zip(paths, (certificate, key), strict=True):
            path.touch(mode=0o600)
            path.write_text(text)
        try:
            # Without a password the library would ask for one at the terminal.
            context.load_cert_chain(*paths, password=_no_password)
        except (ssl.SSLError, OSError) as error:
            told = getattr(error, "reason", None) or str(error)
            raise ClusterRefused(f"could not use the client certificate of the kubeconfig: {told}", hint=RECONNECT) from error


def check_dates(certificate: str, now: float) -> None:
    """Raise `ClusterRefused` if a client certificate (PEM) has expired or is not valid yet: the API server would only say 401.

    `now` is in epoch seconds.
    """
    from cryptography.x509 import load_pem_x509_certificate

    try:
        facts = load_pem_x509_certificate(certificate.encode())
    except ValueError as error:
        raise InvalidInput(f"`client-certificate` of the kubeconfig is no certificate: {error}", hint="get a new kubeconfig") from error
    at = datetime.fromtimestamp(now, UTC)
    if facts.not_valid_after_utc < at:
        raise ClusterRefused(
            f"could not sign in: the client certificate of the kubeconfig expired on {facts.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
            hint=f"get a new kubeconfig from whoever runs the cluster, then {RECONNECT}",
        )
    if facts.not_valid_before_utc > at:
        raise ClusterRefused(
            f"could not sign in: the client certificate of the kubeconfig is not valid before {facts.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            hint="is this machine's clock right?",
        )


def _no_password() -> str:
    raise ssl.SSLError("its key is encrypted, and there is nobody to ask for the password")
