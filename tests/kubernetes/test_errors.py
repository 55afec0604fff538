"""What comes back from a cluster is told in a sentence, with what to do."""

import json
import ssl

import pytest

from tasks.kubernetes.client.errors import (
    ClusterError,
    ClusterRefused,
    ClusterUnavailable,
    Exists,
    Expired,
    Missing,
    explain_answer,
    explain_failure,
    explained,
    missing_rule,
)


def status(message: str, reason: str = "") -> str:
    return json.dumps({"kind": "Status", "message": message, "reason": reason})


NO_RIGHT = 'jobs.batch is forbidden: User "jane" cannot create resource "jobs" in API group "batch" in the namespace "orchestrate"'
RULE = '{apiGroups: ["batch"], resources: ["jobs"], verbs: ["create"]} in a Role of namespace orchestrate, bound to jane'
NO_NODES = 'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope'


@pytest.mark.parametrize(
    ("code", "body", "kind", "hint"),
    [
        (401, status("Unauthorized", "Unauthorized"), ClusterRefused, "has expired"),
        (403, status(NO_RIGHT, "Forbidden"), ClusterRefused, RULE),
        (
            403,
            status(NO_NODES, "Forbidden"),
            ClusterRefused,
            'apiGroups: [""], resources: ["nodes"], verbs: ["list"]} in a ClusterRole, bound to jane',
        ),
        (403, status('pods "x" is forbidden: exceeded quota: q, requested: pods=1', "Forbidden"), ClusterRefused, "ResourceQuota"),
        (403, status('unable to create in namespace x because it is being terminated: forbidden'), ClusterRefused, "being deleted"),
        (403, status('pods "x" is forbidden: violates PodSecurity "restricted:latest"'), ClusterRefused, "Pod Security"),
        (404, status('jobs.batch "x" not found', "NotFound"), Missing, None),
        (404, "<html><body>404 page not found</body></html>", ClusterRefused, "address of a Kubernetes API server"),
        (409, status('jobs.batch "x" already exists', "AlreadyExists"), Exists, None),
        (409, status("the object has been modified", "Conflict"), Exists, None),
        (410, status("too old resource version", "Expired"), Expired, None),
        (400, "Client sent an HTTP request to an HTTPS server.\n", ClusterRefused, "https://"),
        (422, status("spec.template: Invalid value", "Invalid"), ClusterRefused, None),
        (429, status("too many requests", "TooManyRequests"), ClusterUnavailable, "try again"),
        (500, b"\xff\xfe broken", ClusterUnavailable, "try again"),
        (503, None, ClusterUnavailable, "try again"),
        (504, status("request did not complete within the allotted timeout", "Timeout"), ClusterUnavailable, "try again"),
    ],
)  # fmt: skip
def test_an_answer_has_one_kind_of_error(code: int, body: str | bytes | None, kind: type[ClusterError], hint: str | None) -> None:
    error = explain_answer("create Job x", code, body)
    assert type(error) is kind and error.status == code and error.message.startswith(f"could not create Job x: the API server answered {code}: ")
    assert hint in (error.hint or "") if hint else error.hint is None


def test_only_a_message_about_a_right_names_a_rule() -> None:
    assert missing_rule("exceeded quota") is None
    assert missing_rule(NO_NODES) == ('{apiGroups: [""], resources: ["nodes"], verbs: ["list"]}', "in a ClusterRole, bound to jane")


def verify_error(told: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, told)
    error.verify_message = told
    return error


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), ClusterUnavailable, "connection refused"),
        (TimeoutError(), ClusterUnavailable, "in time"),
        (ConnectionResetError(104, "Connection reset by peer"), ClusterUnavailable, "Connection reset by peer"),
        (verify_error("unable to get local issuer certificate"), ClusterRefused, "belongs to another cluster"),
        (verify_error("certificate has expired"), ClusterRefused, "renewed by whoever runs the cluster"),
        (verify_error("IP address mismatch, certificate is not valid for '10.0.0.1'"), ClusterRefused, "tls-server-name"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), ClusterUnavailable, "EOF"),
        (ssl.SSLError(1, "tlsv1 alert unknown ca"), ClusterRefused, "new certificate"),
    ],
)
def test_a_failure_has_one_kind_of_error(failure: Exception, kind: type[ClusterError], words: str) -> None:
    error = explain_failure("list pods", failure, "https://x:6443")
    assert type(error) is kind and words in f"{error.message} {error.hint}" and "https://x:6443" in error.message


async def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(KeyError):
        async with explained("list pods"):
            raise KeyError("x")
