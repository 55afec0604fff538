"""What the API server, aiohttp and TLS answer becomes an error for people, here alone."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tasks.compute import ComputeUnavailable
from trialflow.errors import TrialflowError

FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)?'
)
TRANSIENT = (408, 429, 500, 502, 503, 504)
RECONNECT = "`trialflow cluster connect` with a new kubeconfig"


class ClusterError(TrialflowError):
    """The cluster did not do what was asked. `status` is the HTTP status of an answer, `reason` Kubernetes' word for it (`Expired`)."""

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None, reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class ClusterUnavailable(ClusterError, ComputeUnavailable):
    """There was no answer, or one that says to come again: worth trying again."""


class ClusterRefused(ClusterError):
    """The API server will not do it, however often it is asked."""


class Missing(ClusterError):
    """What was asked for does not exist."""


class Exists(ClusterError):
    """It exists already (`reason` AlreadyExists), or was changed by another meanwhile (`reason` Conflict)."""


class Expired(ClusterError):
    """What a watch or a list wants to go on from is too old: list again."""


@asynccontextmanager
async def explained(what: str, *, server: str = "") -> AsyncIterator[None]:
    """Turn what goes wrong inside into a `ClusterError`. `what` completes "could not ...", as in `create Job run-abc`; `server` is the address."""
    import aiohttp
    from kubernetes_asyncio.client.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        if not error.status:
            raise ClusterUnavailable(f"could not {what}: {error.reason}") from error
        raise explain_answer(what, error.status, error.body, error.reason or "") from error
    except (aiohttp.ClientError, OSError) as error:
        raise explain_failure(what, error, server) from error


def explain_answer(what: str, status: int, body: str | bytes | None, phrase: str = "") -> ClusterError:
    """The error for an answer of the API server: its HTTP status, body (a Kubernetes Status, or whatever a proxy says) and reason phrase."""
    answer = _status_object(body)
    said = str(answer.get("message") or _plain(body) or phrase or "nothing")
    reason = str(answer.get("reason") or "")
    message = f"could not {what}: the API server answered {status}: {said}"
    if status in TRANSIENT or status > 504:
        return ClusterUnavailable(message, hint="it is busy or starting; try again", status=status, reason=reason)
    if status == 410:
        return Expired(message, status=status, reason=reason)
    if status == 409:
        return Exists(message, status=status, reason=reason)
    if status == 404 and answer:
        return Missing(message, status=status, reason=reason)
    return ClusterRefused(message, hint=_hint(status, said, bool(answer)), status=status, reason=reason)


def explain_failure(what: str, error: BaseException, server: str = "") -> ClusterError:
    """The error for a request that got no answer: refused, timed out, cut off, or ended by TLS."""
    at = f" at {server}" if server else ""
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return ClusterRefused(
            f"could not {what}: the certificate of the API server{at} is not accepted: {tls.verify_message}", hint=_verify_hint(tls.verify_message)
        )
    if tls is not None:
        told = (getattr(tls, "reason", None) or str(tls)).replace("_", " ").lower()
        hint = (
            "the server speaks no TLS: is `server` an http:// address?"
            if "wrong version number" in told
            else f"get a new certificate, then {RECONNECT}"
        )
        return ClusterRefused(f"could not {what}: the API server{at} ended the TLS connection: {told}", hint=hint)
    if isinstance(error, TimeoutError):
        return ClusterUnavailable(f"could not {what}: the API server{at} did not answer in time", hint="is a VPN or a firewall in the way?")
    if type(error).__name__ == "ClientConnectorDNSError":
        return ClusterUnavailable(
            f"could not {what}: the name of the API server{at} is not known", hint="check `server` in the kubeconfig; is a VPN off?"
        )
    cause = getattr(error, "os_error", error)
    told = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    if isinstance(cause, ConnectionRefusedError) or "Connect call failed" in told:
        told = "connection refused" if isinstance(cause, ConnectionRefusedError) else "no route to it"
        return ClusterUnavailable(
            f"could not {what}: nothing answers{at or ' at the API server'}: {told}", hint="is the cluster up, and is this its address?"
        )
    return ClusterUnavailable(f"could not {what}: the connection to the API server{at} failed: {told}", hint="try again")


def missing_rule(said: str) -> tuple[str, str] | None:
    """From the message of a 403 that is about a missing right: the RBAC rule that gives it, and who needs it where. None for other messages."""
    found = FORBIDDEN.search(said)
    if found is None:
        return None
    rule = f'{{apiGroups: ["{found["group"]}"], resources: ["{found["resource"]}"], verbs: ["{found["verb"]}"]}}'
    where = f"in a Role of namespace {found['namespace']}" if found["namespace"] else "in a ClusterRole"
    return rule, f"{where}, bound to {found['user']}"


def _hint(status: int, said: str, is_kubernetes: bool) -> str | None:
    if status == 401:
        return f"the token or certificate is wrong or has expired: {RECONNECT}"
    if status == 403:
        if "exceeded quota" in said:
            return "the namespace's ResourceQuota is used up: ask for more, or end something (`kubectl describe quota`)"
        if "being terminated" in said:
            return "the namespace is being deleted: wait until it is gone, or use another"
        if "PodSecurity" in said:
            return "the namespace's Pod Security level forbids it: another level or another namespace is needed"
        if (needed := missing_rule(said)) is not None:
            return f"ask an administrator for the rule {needed[0]} {needed[1]}"
        return "ask an administrator for this right"
    if not is_kubernetes and status in (301, 302, 307, 308, 400, 404):
        if "HTTP request to an HTTPS server" in said:
            return "`server` in the kubeconfig should begin with https://"
        return "is `server` in the kubeconfig the address of a Kubernetes API server?"
    return None


def _verify_hint(told: str) -> str:
    if "expired" in told or "not yet valid" in told:
        return "it has to be renewed by whoever runs the cluster; is this machine's clock right?"
    if "mismatch" in told or "doesn't match" in told or "not valid for" in told:
        return "use an address that the certificate has, or set `tls-server-name` in the kubeconfig"
    return "`certificate-authority` in the kubeconfig belongs to another cluster, or is missing: get a new kubeconfig"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error in a chain of causes: aiohttp wraps it in several ways. A connection that was cut is none."""
    # aiohttp's own errors are TLS errors by inheritance, without what those say: the wrapped one comes first.
    for candidate in (getattr(error, "certificate_error", None), getattr(error, "os_error", None), getattr(error, "__cause__", None), error):
        if isinstance(candidate, ssl.SSLError) and not isinstance(candidate, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return candidate
    return None


def _status_object(body: str | bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(body or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _plain(body: str | bytes | None) -> str:
    """A body that is no Status, as one line without markup, cut short."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    line = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    return line if len(line) <= 200 else line[:200] + "..."
