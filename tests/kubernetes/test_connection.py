"""One connection to a real API server, signed in by every way there is; nothing secret is left on disk."""

import asyncio
import base64
import json
import os
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import LONGEST_DELAY, delay_asked_for, open_cluster
from tasks.kubernetes.client.credentials import Credential, Credentials, credential_of
from tasks.kubernetes.client.errors import ClusterError, ClusterRefused, ClusterUnavailable, Missing, explained
from tasks.kubernetes.client.kubeconfig import user_of

VERSION = "client.authentication.k8s.io/v1"


def with_user(cluster: Cluster, user: dict[str, Any], **facts: Any) -> Cluster:
    document = json.loads(json.dumps(cluster.kubeconfig))
    document["users"][0]["user"] = user
    document["clusters"][0]["cluster"] |= facts
    return replace(cluster, kubeconfig=document)


async def count_pods(cluster: Cluster) -> int:
    from kubernetes_asyncio.client import CoreV1Api

    async with open_cluster(cluster) as connection, explained("list pods", server=connection.server):
        await CoreV1Api(connection.api).list_namespaced_pod(cluster.namespace)
        return connection.requests


async def token(cluster: Cluster, seconds: int = 600) -> str:
    from kubernetes_asyncio.client import CoreV1Api

    async with open_cluster(cluster) as connection:
        core: Any = CoreV1Api(connection.api)
        await core.create_namespaced_service_account(cluster.namespace, {"metadata": {"name": "tester"}})
        body = {"spec": {"expirationSeconds": seconds}}
        made = await core.create_namespaced_service_account_token("tester", cluster.namespace, body)
    return made.status.token


@pytest.mark.cluster
async def test_a_hundred_requests_at_once_are_counted_and_leave_no_file(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes_asyncio.client import CoreV1Api

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with open_cluster(cluster) as connection:
        core = CoreV1Api(connection.api)
        await asyncio.gather(*(core.list_namespaced_pod(cluster.namespace) for _ in range(100)))
        assert connection.requests == 100 and connection.namespace == cluster.namespace
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(Missing, match='pods "none" not found'):
            async with explained("read Pod none"):
                await core.read_namespaced_pod("none", cluster.namespace)


@pytest.mark.cluster
async def test_a_token_without_rights_is_told_the_rule_it_needs(cluster: Cluster) -> None:
    with pytest.raises(ClusterRefused) as refused:
        await count_pods(with_user(cluster, {"token": await token(cluster)}))
    assert refused.value.status == 403 and 'resources: ["pods"], verbs: ["list"]' in (refused.value.hint or "")
    assert f"bound to system:serviceaccount:{cluster.namespace}:tester" in (refused.value.hint or "")


@pytest.mark.cluster
async def test_impersonation_is_honoured(cluster: Cluster) -> None:
    user = dict(user_of(cluster.kubeconfig))
    with pytest.raises(ClusterRefused, match='User "jane" cannot list'):
        await count_pods(with_user(cluster, user | {"as": "jane", "as-groups": ["a", "b"]}))
    assert await count_pods(with_user(cluster, user | {"as": "jane", "as-groups": ["a", "system:masters"]})) == 1


def plugin(tmp_path: Path, status: dict[str, Any], *, then: dict[str, Any] | None = None) -> dict[str, Any]:
    """A sign-in program that counts its calls in a file and gives `then` from the second call on."""
    script = tmp_path / "sign_in.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        f"calls = pathlib.Path({str(tmp_path / 'calls')!r})\n"
        "calls.open('a').write('x')\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        f"status = {status!r} if len(calls.read_text()) == 1 else {then or status!r}\n"
        "print(json.dumps({'apiVersion': info['apiVersion'], 'kind': 'ExecCredential', 'status': status}))\n"
    )
    return {"exec": {"apiVersion": VERSION, "command": sys.executable, "args": [str(script)], "env": [{"name": "X", "value": "1"}]}}


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text())


@pytest.mark.cluster
async def test_a_sign_in_program_runs_once_for_many_requests(cluster: Cluster, tmp_path: Path) -> None:
    from kubernetes_asyncio.client import AuthenticationV1Api

    user = plugin(tmp_path, {"token": await token(cluster), "expirationTimestamp": "2999-01-01T00:00:00Z"})
    async with open_cluster(with_user(cluster, user)) as connection:
        api: Any = AuthenticationV1Api(connection.api)
        found = await asyncio.gather(*(api.create_self_subject_review({}) for _ in range(20)))
    assert found[0].status.user_info.username.endswith(":tester") and calls(tmp_path) == 1


@pytest.mark.cluster
async def test_a_certificate_of_a_sign_in_program_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    user = user_of(cluster.kubeconfig)
    given = {"clientCertificateData": "client-certificate-data", "clientKeyData": "client-key-data"}
    status = {name: base64.b64decode(user[key]).decode() for name, key in given.items()}
    assert await count_pods(with_user(cluster, plugin(tmp_path, status))) == 1


@pytest.mark.cluster
async def test_a_refused_token_of_a_sign_in_program_is_replaced_once(cluster: Cluster, tmp_path: Path) -> None:
    from kubernetes_asyncio.client import AuthenticationV1Api

    user = plugin(tmp_path, {"token": "revoked"}, then={"token": await token(cluster)})
    async with open_cluster(with_user(cluster, user)) as connection:
        api: Any = AuthenticationV1Api(connection.api)
        assert (await api.create_self_subject_review({})).status.user_info.username.endswith(":tester") and calls(tmp_path) == 2
    (tmp_path / "calls").unlink()
    with pytest.raises(ClusterRefused, match="401"):
        await count_pods(with_user(cluster, plugin(tmp_path, {"token": "revoked"})))
    assert calls(tmp_path) == 2


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("user", "facts", "kind", "words"),
    [
        ({"token": "wrong"}, {}, ClusterRefused, "answered 401"),
        ({}, {}, ClusterRefused, "answered 403"),
        ({}, {"server": "https://127.0.0.1:1"}, ClusterUnavailable, "connection refused"),
        ({}, {"server": "https://no-such-host.invalid"}, ClusterUnavailable, "name of the API server"),
        ({}, {"tls-server-name": "elsewhere"}, ClusterRefused, "certificate of the API server"),
        ({"exec": {"apiVersion": VERSION, "command": "/bin/false"}}, {}, ClusterRefused, "ended with exit code 1"),
        ({"exec": {"apiVersion": VERSION, "command": "/bin/true"}}, {}, ClusterRefused, "is no ExecCredential"),
        ({"exec": {"apiVersion": VERSION, "command": "/none"}}, {}, ClusterRefused, "cannot be started"),
    ],
)
async def test_what_is_wrong_is_told_in_a_sentence(cluster: Cluster, user: dict, facts: dict, kind: type[ClusterError], words: str) -> None:
    with pytest.raises(kind, match=words):
        await count_pods(with_user(cluster, user, **facts))


@pytest.mark.cluster
async def test_the_wrong_authority_is_told(cluster: Cluster, tmp_path: Path) -> None:
    other, _ = certificate(tmp_path, begin=datetime.now(UTC))
    facts = {"certificate-authority-data": encoded(other)}
    with pytest.raises(ClusterRefused) as refused:
        await count_pods(with_user(cluster, {}, **facts))
    assert "belongs to another cluster" in (refused.value.hint or "")
    with pytest.raises(ClusterRefused, match="403"):
        document = with_user(cluster, {}, **{"insecure-skip-tls-verify": True})
        del document.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
        await count_pods(document)


@pytest.mark.cluster
async def test_an_expired_certificate_is_told_with_its_date(cluster: Cluster, tmp_path: Path) -> None:
    certificate_file, key = certificate(tmp_path, begin=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(ClusterRefused, match="expired on 2020-01-02 00:00 UTC"):
        await count_pods(with_user(cluster, {"client-certificate-data": encoded(certificate_file), "client-key-data": encoded(key)}))


def certificate(folder: Path, *, begin: datetime, days: int = 1) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tester")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=days)).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


async def test_a_credential_is_fetched_again_when_it_ends_and_never_twice_at_once() -> None:
    now, fetched = [0.0], []

    async def fetch() -> Credential:
        fetched.append(now[0])
        await asyncio.sleep(0)
        return Credential("Bearer x", expires=now[0] + 100)

    credentials = Credentials(fetch, clock=lambda: now[0])
    await asyncio.gather(*(credentials.current() for _ in range(10)))
    now[0] = 60.0
    await credentials.current()
    assert fetched == [0.0]
    now[0] = 80.0
    await asyncio.gather(*(credentials.current() for _ in range(10)))
    assert fetched == [0.0, 80.0]


@pytest.mark.parametrize(
    "printed", [b"", b"[]", b"{}", b'{"status": {}}', b'{"apiVersion": "v0", "status": {"token": "t"}}', b'{"status": {"expirationTimestamp": "x"}}']
)
def test_what_is_no_credential_is_refused_without_telling_it(printed: bytes) -> None:
    with pytest.raises(ClusterRefused, match="could not sign in: .*'it'"):
        credential_of(printed, VERSION, "it")


async def test_a_cluster_without_kubeconfig_needs_a_pod() -> None:
    from trialflow.errors import InvalidInput

    with pytest.raises(InvalidInput, match="this is no pod"):
        async with open_cluster(Cluster("x"), environ={name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES")}):
            pass


@pytest.mark.parametrize(("said", "seconds"), [("1", 1.0), ("3600", LONGEST_DELAY), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)])
def test_a_busy_server_says_how_long_to_wait(said: str | None, seconds: float | None) -> None:
    assert delay_asked_for({"Retry-After": said} if said else {}) == seconds
