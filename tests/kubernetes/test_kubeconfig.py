"""A kubeconfig becomes self-contained, or is refused with the reason."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tasks.kubernetes.client.kubeconfig import cluster_of, self_contained, user_of
from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig, own_namespace
from trialflow.errors import InvalidInput

CLUSTER: dict[str, Any] = {"server": "https://x:6443"}
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sign-in", "interactiveMode": "Never"}


def document(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}, {"name": "other", "context": {"cluster": "gone", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": CLUSTER if cluster is None else cluster}, {"name": "unused", "cluster": CLUSTER}],
        "users": [{"name": "u", "user": user or {}}, {"name": "unused", "user": {"token": "of another"}}],
    } | others


def minified(
    given: dict[str, Any], context: str | None = None, files: dict[str, bytes] | None = None, programs: tuple[str, ...] = ()
) -> dict[str, Any]:
    def read(path: Path) -> bytes:
        try:
            return (files or {})[str(path)]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory") from None

    return self_contained(given, context, folder=Path("/there"), read=read, find=lambda name: name if name in programs else None)[0]


def test_only_what_the_context_names_is_kept() -> None:
    found = minified(document({"token": "secret"}))
    assert [len(found[kind]) for kind in ("contexts", "clusters", "users")] == [1, 1, 1] and "of another" not in str(found)
    assert found["current-context"] == "main" and user_of(found) == {"token": "secret"}


def test_files_are_read_into_it() -> None:
    given = document(
        {"client-certificate": "pki/c.pem", "client-key": "/abs/k.pem", "tokenFile": "t"}, {**CLUSTER, "certificate-authority": "ca.pem"}
    )
    files = {"/there/pki/c.pem": b"cert", "/abs/k.pem": b"key", "/there/t": b"token\n", "/there/ca.pem": b"ca"}
    found = minified(given, files=files)
    assert user_of(found) == {
        "client-certificate-data": base64.b64encode(b"cert").decode(),
        "client-key-data": base64.b64encode(b"key").decode(),
        "token": "token",
    }
    assert cluster_of(found) == {**CLUSTER, "certificate-authority-data": base64.b64encode(b"ca").decode()}


@pytest.mark.parametrize("kept", [{"insecure-skip-tls-verify": True}, {"proxy-url": "http://proxy:3128"}, {"tls-server-name": "kubernetes"}])
def test_what_a_cluster_needs_is_kept(kept: dict[str, Any]) -> None:
    assert cluster_of(minified(document(cluster={**CLUSTER, **kept}))) == {**CLUSTER, **kept}


@pytest.mark.parametrize("user", [{"token": "t"}, {"username": "u", "password": "p"}, {"token": "t", "as": "jane", "as-groups": ["a", "b"]}, {}])
def test_every_way_to_sign_in_is_kept(user: dict[str, Any]) -> None:
    assert user_of(minified(document(user))) == user


def test_a_sign_in_program_is_kept_and_found_beside_the_kubeconfig() -> None:
    assert user_of(minified(document({"exec": PLUGIN}), programs=("sign-in",)))["exec"] == PLUGIN
    beside = user_of(minified(document({"exec": {**PLUGIN, "command": "./bin/sign-in"}}), programs=("/there/bin/sign-in",)))
    assert beside["exec"]["command"] == "/there/bin/sign-in"


@pytest.mark.parametrize(
    ("given", "context", "message", "hint"),
    [
        (document(), "mian", "no context 'mian'", "did you mean 'main'? it has main, other"),
        (document(), "other", "no entry 'gone' in `clusters`", None),
        (document(**{"current-context": ""}), None, "no current context", "main, other"),
        (document(contexts=[]), None, "no contexts", "kubeconfig"),
        (document(users=[]), None, "no entry 'u' in `users`", None),
        (document(users={"u": {}}), None, "mangled: `users`", None),
        (document({"auth-provider": {"name": "gcp"}}), None, "auth-provider 'gcp', which Kubernetes has removed", "gke-gcloud-auth-plugin"),
        (document({"exec": PLUGIN}), None, "program 'sign-in', which is not in PATH", "install it"),
        (document({"exec": {**PLUGIN, "installHint": "brew install x"}}), None, "not in PATH", "brew install x"),
        (
            document({"exec": {**PLUGIN, "apiVersion": "client.authentication.k8s.io/v1alpha1"}}),
            None,
            "v1alpha1', which Kubernetes has removed",
            "v1beta1",
        ),
        (document({"exec": {**PLUGIN, "interactiveMode": "Always"}}), None, "always asks a person", "token"),
        (document({"client-certificate": "c.pem", "client-key": "k.pem"}), None, "/there/c.pem, `client-certificate` of the user 'u'", "relative"),
        (document({"client-certificate-data": "YQ=="}), None, "only one of client certificate and key", "both"),
        (document({"client-certificate-data": "%", "client-key-data": "YQ=="}), None, "is no base64", None),
        (document(cluster={"server": "x:6443"}), None, "no usable `server`: 'x:6443'", "https://"),
        (document(cluster={**CLUSTER, "proxy-url": "socks5://p:1"}), None, "socks5://p:1", "SOCKS"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(given: dict[str, Any], context: str | None, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        minified(given, context)
    assert message in refused.value.message and (hint is None or hint in (refused.value.hint or ""))


def test_several_files_are_merged_as_kubectl_does(tmp_path: Path) -> None:
    import yaml

    for name, token in (("a", "first"), ("b", "second")):
        (tmp_path / name).mkdir()
        given = document({"tokenFile": "t"}, **{"current-context": "main" if name == "b" else ""})
        (tmp_path / name / "config").write_text(yaml.safe_dump(given))
        (tmp_path / name / "t").write_text(token)
    listed = f"{tmp_path}/a/config:{tmp_path}/missing:{tmp_path}/b/config"
    found, context = load_kubeconfig(None, None, environ={"KUBECONFIG": listed})
    assert context == "main" and user_of(found) == {"token": "first"}


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "does not exist"), ("", "is no kubeconfig"), ("a: [", "is no YAML, line 1"), ("{}", "is no kubeconfig"), (b"\xff\xfe\x00", "is no")],
)
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path, text: str | bytes | None, message: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInput, match=message):
        load_kubeconfig(str(path), None, environ={})


def test_without_any_kubeconfig_outside_a_pod_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no kubeconfig"):
        load_kubeconfig(None, None, environ={"HOME": str(tmp_path)})


def test_a_pod_tells_its_namespace_and_a_laptop_none(tmp_path: Path) -> None:
    assert own_namespace(tmp_path) is None
    (tmp_path / "namespace").write_text("team\n")
    assert own_namespace(tmp_path) == "team"


@pytest.mark.parametrize("document", [{"a": 1}, {"clusters": []}, {"clusters": None}, {"clusters": ["x"]}, {"clusters": [{"cluster": "x"}]}])
def test_a_block_whose_kubeconfig_was_mangled_by_hand_is_told(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="`clusters` has no first entry with a `cluster`"):
        cluster_of(document)
    with pytest.raises(InvalidInput, match="`users` has no first entry with a `user`"):
        user_of(document)
