"""A kubeconfig becomes self-contained: one context, one cluster, one user, with the files that they name read into it."""

import base64
import binascii
import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trialflow.errors import InvalidInput

Document = Mapping[str, Any]
CLUSTER_FILES = {"certificate-authority": "certificate-authority-data"}
USER_FILES = {"client-certificate": "client-certificate-data", "client-key": "client-key-data"}
CLUSTER_KEPT = ("server", "insecure-skip-tls-verify", "proxy-url", "tls-server-name")
USER_KEPT = ("token", "username", "password", "as", "as-uid", "as-groups", "as-user-extra")
PLUGIN_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
PLUGINS = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin", "oidc": "kubelogin"}
"""The programs that replace the sign-ins that Kubernetes 1.26 took out."""


def self_contained(
    document: Document, context: str | None, *, folder: Path, read: Callable[[Path], bytes], find: Callable[[str], str | None]
) -> tuple[dict[str, Any], str]:
    """The minified kubeconfig of `context` (of the current one if None), and the name of that context.

    Relative paths in `document` begin at `folder`; `read` reads a file; `find` is `shutil.which`. Nothing else is looked at.
    Raises `InvalidInput` for what is missing, mangled, or no longer understood by Kubernetes.
    """
    name = _chosen(document, context)
    facts = _named(document, "contexts", name).get("context") or {}
    cluster_name, user_name = str(facts.get("cluster", "")), str(facts.get("user") or "")
    if not cluster_name:
        raise InvalidInput(f"the context {name!r} of the kubeconfig names no cluster")
    cluster = _named(document, "clusters", cluster_name, because=f"the context {name!r}").get("cluster") or {}
    user = (_named(document, "users", user_name, because=f"the context {name!r}").get("user") or {}) if user_name else {}
    kept = {"cluster": cluster_name, "user": user_name or "nobody"}
    if facts.get("namespace"):
        kept["namespace"] = facts["namespace"]
    minified = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": kept}],
        "clusters": [{"name": cluster_name, "cluster": _cluster(cluster_name, cluster, folder, read)}],
        "users": [{"name": kept["user"], "user": _user(kept["user"], user, folder, read, find)}],
    }
    return minified, name


def cluster_of(kubeconfig: Document) -> Document:
    """What a self-contained kubeconfig says of the cluster. Raises `InvalidInput` if it is none: a block can be written by hand."""
    return _first(kubeconfig, "clusters", "cluster")


def user_of(kubeconfig: Document) -> Document:
    """What a self-contained kubeconfig says of the user. Raises `InvalidInput` as `cluster_of` does."""
    return _first(kubeconfig, "users", "user")


def _first(kubeconfig: Document, kind: str, key: str) -> Document:
    try:
        found = kubeconfig[kind][0][key]
    except (KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, Mapping):
        hint = "`trialflow cluster connect`, or the deployment cluster-connect, writes the block of a cluster"
        raise InvalidInput(f"the kubeconfig that is kept of the cluster is mangled: `{kind}` has no first entry with a `{key}`", hint=hint)
    return found


def _chosen(document: Document, context: str | None) -> str:
    contexts = _names(document, "contexts")
    if not contexts:
        raise InvalidInput("the kubeconfig has no contexts", hint="a kubeconfig for one cluster comes from whoever runs it, or from `kubectl config`")
    if context is None:
        current = document.get("current-context")
        if not current:
            raise InvalidInput("the kubeconfig has no current context", hint=f"choose one with `--context`: {', '.join(contexts)}")
        context = str(current)
    if context not in contexts:
        close = difflib.get_close_matches(context, contexts, 1)
        more = f"did you mean {close[0]!r}? " if close else ""
        raise InvalidInput(f"the kubeconfig has no context {context!r}", hint=f"{more}it has {', '.join(contexts)}")
    return context


def _names(document: Document, kind: str) -> list[str]:
    listed = document.get(kind) or []
    if not isinstance(listed, list) or any(not isinstance(one, Mapping) or "name" not in one for one in listed):
        raise InvalidInput(f"the kubeconfig is mangled: `{kind}` is no list of named entries")
    return [str(one["name"]) for one in listed]


def _named(document: Document, kind: str, name: str, *, because: str = "") -> Document:
    if name not in _names(document, kind):
        raise InvalidInput(f"the kubeconfig has no entry {name!r} in `{kind}`" + (f", which {because} names" if because else ""))
    return next(one for one in document[kind] if str(one["name"]) == name)


def _cluster(name: str, facts: Document, folder: Path, read: Callable[[Path], bytes]) -> dict[str, Any]:
    server = str(facts.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise InvalidInput(f"the cluster {name!r} of the kubeconfig has no usable `server`: {server!r}", hint="expected an address with https://")
    proxy = str(facts.get("proxy-url") or "http://")
    if not proxy.startswith(("http://", "https://")):
        raise InvalidInput(
            f"the proxy {proxy} of the cluster {name!r} cannot be used", hint="HTTP and HTTPS proxies are understood, SOCKS ones are not"
        )
    kept = {key: facts[key] for key in CLUSTER_KEPT if facts.get(key)}
    return kept | _embedded(facts, CLUSTER_FILES, f"the cluster {name!r}", folder, read)


def _user(name: str, facts: Document, folder: Path, read: Callable[[Path], bytes], find: Callable[[str], str | None]) -> dict[str, Any]:
    if provider := facts.get("auth-provider"):
        kind = str(provider.get("name")) if isinstance(provider, Mapping) else str(provider)
        plugin = PLUGINS.get(kind, "an exec plugin")
        raise InvalidInput(
            f"the user {name!r} signs in by the auth-provider {kind!r}, which Kubernetes has removed",
            hint=f"have the kubeconfig written again by your provider's tool, so that it uses {plugin} (`exec:`)",
        )
    whose = f"the user {name!r}"
    kept = {key: facts[key] for key in USER_KEPT if facts.get(key)} | _embedded(facts, USER_FILES, whose, folder, read)
    if facts.get("tokenFile"):
        # As kubectl does it: the file, which may be newer, comes before a token that is there as well.
        kept["token"] = _read(facts["tokenFile"], f"`tokenFile` of {whose}", folder, read).decode(errors="replace").strip()
    if ("client-certificate-data" in kept) != ("client-key-data" in kept):
        raise InvalidInput(f"{whose} of the kubeconfig has only one of client certificate and key", hint="both are needed")
    if plugin := facts.get("exec"):
        kept["exec"] = _plugin(plugin, whose, folder, find)
    return kept


def _embedded(facts: Document, files: Mapping[str, str], whose: str, folder: Path, read: Callable[[Path], bytes]) -> dict[str, str]:
    found = {}
    for as_file, as_data in files.items():
        if facts.get(as_data):
            try:
                base64.b64decode(str(facts[as_data]), validate=True)
            except (binascii.Error, ValueError) as error:
                raise InvalidInput(f"`{as_data}` of {whose} in the kubeconfig is no base64: {error}") from None
            found[as_data] = str(facts[as_data])
        elif facts.get(as_file):
            found[as_data] = base64.b64encode(_read(facts[as_file], f"`{as_file}` of {whose}", folder, read)).decode()
    return found


def _read(name: Any, what: str, folder: Path, read: Callable[[Path], bytes]) -> bytes:
    path = folder / os.path.expanduser(str(name))
    try:
        return read(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(
            f"the file {path}, {what} in the kubeconfig, cannot be read: {reason}", hint="its path is relative to the kubeconfig"
        ) from error


def _plugin(facts: Any, whose: str, folder: Path, find: Callable[[str], str | None]) -> dict[str, Any]:
    if not isinstance(facts, Mapping) or not facts.get("command"):
        raise InvalidInput(f"`exec` of {whose} in the kubeconfig names no command")
    if facts.get("apiVersion") not in PLUGIN_VERSIONS:
        raise InvalidInput(
            f"`exec` of {whose} in the kubeconfig speaks {facts.get('apiVersion')!r}, which Kubernetes has removed",
            hint=f"have the kubeconfig written again by your provider's tool; {' and '.join(PLUGIN_VERSIONS)} are understood",
        )
    if facts.get("interactiveMode") == "Always":
        raise InvalidInput(
            f"{whose} of the kubeconfig signs in by {facts['command']!r}, which always asks a person", hint="use a token or a certificate"
        )
    command = str(facts["command"])
    if "/" in command:
        command = str(folder / os.path.expanduser(command))
    if find(command) is None:
        told = str(facts.get("installHint") or "").strip()
        raise InvalidInput(
            f"{whose} of the kubeconfig signs in by the program {command!r}, which is not in PATH", hint=told or "install it, then try again"
        )
    return {**facts, "command": command}
