"""The cluster of a tenant connected once more, in another way: as somebody else, with another registry or service."""

import subprocess

import yaml

from tasks.kubernetes.cluster.saved import Clusters
from tests.e2e.clusters import Tenant
from trialflow.home import Home


def admin(tenant: Tenant, *arguments: str, stdin: str | None = None) -> str:
    """Call kubectl as the cluster's administrator: what it prints."""
    command = ["kubectl", "--kubeconfig", tenant.kubeconfig, "--namespace", tenant.namespace, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def connect(tenant: Tenant, *options: str, token: str | None = None, registry: str | None = None, install: bool = False) -> str:
    """Connect under the name that it has, with a token as that account. Nothing is made on it unless `install`. Returns what was said."""
    name = Clusters(Home(tenant.user.home)).current()
    assert name is not None
    kubeconfig = tenant.kubeconfig
    if token:
        with open(kubeconfig) as file:
            document = yaml.safe_load(file)
        document["users"][0]["user"] = {"token": token}
        other = tenant.user.folder.parent / "kubeconfig"
        other.write_text(yaml.safe_dump(document))
        kubeconfig = str(other)
    code, _, said = tenant.user.type(
        "cluster", "connect", "-n", name, "--kubeconfig", kubeconfig, "--namespace", tenant.namespace,
        "--registry", registry or f"{tenant.registry}/e2e", *([] if install else ["--no-install"]), *options,
    )  # fmt: skip
    assert code == 0, said
    return said


def token_of(tenant: Tenant, account: str) -> str:
    """A token of a service account."""
    return admin(tenant, "create", "token", account).strip()
