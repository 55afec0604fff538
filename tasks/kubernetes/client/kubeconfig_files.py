"""Where a kubeconfig comes from: the file that was named, those of KUBECONFIG, `~/.kube/config`, or the pod that we run in."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.kubernetes.client.kubeconfig import CLUSTER_FILES, USER_FILES, self_contained
from trialflow.errors import InvalidInput

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HINT = "give the path with `--kubeconfig`, or set KUBECONFIG"
MANGLED = "get a new one from whoever runs the cluster, or mend it; `kubectl config view` shows what kubectl makes of it"


def load_kubeconfig(path: str | None, context: str | None, *, environ: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """The self-contained kubeconfig of `path` (KUBECONFIG or `~/.kube/config` if None), and the name of its context.

    An empty one, without a context, stands for the service account of the pod that we run in: it is used where there is no file.
    Raises `InvalidInput`.
    """
    if path is not None:
        found = [Path(path).expanduser().absolute()]
        if not found[0].is_file():
            reason = "is a folder" if found[0].is_dir() else "does not exist"
            raise InvalidInput(f"the kubeconfig {found[0]} {reason}", hint="give the path of another with `--kubeconfig`")
    else:
        found = default_files(environ)
        if not found:
            if is_in_cluster(environ):
                return {}, None
            where = environ.get("KUBECONFIG") or "~/.kube/config"
            raise InvalidInput(f"there is no kubeconfig: {where} does not exist", hint=HINT)
    try:
        document = merged([(file.parent, parsed(file)) for file in found])
        return self_contained(document, context, folder=found[0].parent, read=Path.read_bytes, find=shutil.which)
    except InvalidInput as error:
        error.hint = error.hint or MANGLED
        raise


def default_files(environ: Mapping[str, str]) -> list[Path]:
    """The files of KUBECONFIG that exist, else `~/.kube/config` if it does. A variable that is set to nothing counts as unset, as for kubectl."""
    if listed := environ.get("KUBECONFIG"):
        paths = [Path(one).expanduser().absolute() for one in listed.split(os.pathsep) if one]
    else:
        paths = [Path(environ.get("HOME") or Path.home()) / ".kube" / "config"]
    return [path for path in paths if path.is_file()]


def is_in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> bool:
    """Whether this is a pod that has been given a service account."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT")) and (folder / "token").is_file()


def own_namespace(folder: Path = SERVICE_ACCOUNT) -> str | None:
    """The namespace of the pod that we run in, where its service account has its rights; None if this is no pod."""
    try:
        return (folder / "namespace").read_text().strip() or None
    except OSError:
        return None


def parsed(path: Path) -> dict[str, Any]:
    """The document in the file. Raises `InvalidInput`; what is in the file, which is secret, is not told."""
    import yaml

    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"the kubeconfig {path} cannot be read: {error.strerror}", hint="check whose it is: `ls -l`") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"the kubeconfig {path} is no YAML{line}: {getattr(error, 'problem', None) or 'it cannot be decoded'}") from None
    if not isinstance(document, dict) or "clusters" not in document:
        raise InvalidInput(f"the file {path} is no kubeconfig: it has no `clusters`", hint=HINT)
    return document


def merged(documents: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[str, Any]:
    """Several documents, each with its folder, as one, as kubectl merges them: the first that names an entry or the current context wins.

    Paths become absolute, because each document's begin at its own folder.
    """
    result: dict[str, Any] = {"contexts": [], "clusters": [], "users": []}
    for folder, document in documents:
        if document.get("current-context"):
            result.setdefault("current-context", document["current-context"])
        for kind, entries in result.items():
            if not isinstance(entries, list) or not isinstance(document.get(kind), list):
                continue
            seen = {one.get("name") for one in entries if isinstance(one, Mapping)}
            entries += [_anchored(one, folder) for one in document[kind] if not isinstance(one, Mapping) or one.get("name") not in seen]
    return result


def _anchored(entry: Any, folder: Path) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    anchored = dict(entry)
    for part in ("cluster", "user"):
        if isinstance(entry.get(part), Mapping):
            files = {
                name: str(folder / os.path.expanduser(str(entry[part][name])))
                for name in (*CLUSTER_FILES, *USER_FILES, "tokenFile")
                if entry[part].get(name)
            }
            anchored[part] = {**entry[part], **files}
            plugin = entry[part].get("exec")
            if isinstance(plugin, Mapping) and "/" in str(plugin.get("command", "")):
                anchored[part]["exec"] = {**plugin, "command": str(folder / os.path.expanduser(str(plugin["command"])))}
    return anchored
