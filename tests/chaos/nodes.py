"""Nodes of the tests' cluster: taken away, given back, cut off; all of them are there and open when a test ends."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.clusters import POLL_SECONDS, Tenant

PATIENCE_SECONDS = 120


class Nodes:
    """The nodes of a cluster, by name."""

    def __init__(self, tenant: Tenant, command: str) -> None:
        self.tenant = tenant
        self.names = tenant.administer("get", "nodes", "-o", "name").replace("node/", "").split()
        self._command = command

    def lose(self, name: str) -> None:
        """The machine is gone, with all that runs on it."""
        subprocess.run([self._command, "lose", name], check=True)

    def give_back(self, name: str) -> None:
        """The machine is back, empty; waits until Kubernetes knows."""
        subprocess.run([self._command, "return", name], check=True)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:  # a Node object that was deleted is there again once its machine has said so
            with contextlib.suppress(subprocess.CalledProcessError):
                self.tenant.administer("wait", "--for=condition=Ready", f"node/{name}", "--timeout=60s")
                return
            time.sleep(0.5)
        raise AssertionError(f"{name} did not come back")

    def restore(self) -> None:
        """Everything as it was."""
        for name in self.names:
            self.give_back(name)
            self.tenant.administer("uncordon", name)

    def busiest(self) -> tuple[str, list[str]]:
        """Wait until a training run is executed: the node with most of them, and their pods."""
        return self._until_runs(self.names)

    def until_one_runs_on(self, name: str) -> list[str]:
        """Wait until a training run is executed there: the pods of all that are."""
        return self._until_runs([name])[1]

    def _until_runs(self, names: list[str]) -> tuple[str, list[str]]:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            running = [pod for pod in self.tenant.pods() if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]]
            found = {name: [pod["metadata"]["name"] for pod in running if pod["spec"]["nodeName"] == name] for name in names}
            name = max(names, key=lambda name: len(found[name]))
            if found[name]:
                return name, found[name]
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"no pod came to {' or '.join(names)}")

    def until_given_up(self, pods: list[str]) -> None:
        """Wait until Kubernetes has given these pods up."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if not {pod["metadata"]["name"] for pod in self.tenant.pods() if "deletionTimestamp" not in pod["metadata"]} & set(pods):
                return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{pods} were never given up")

    @contextlib.contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """The node hears and says nothing, while its containers go on."""
        kubelets = [one for one in psutil.process_iter(["cmdline"]) if f"--hostname-override={name}" in (one.info["cmdline"] or [])]
        if not kubelets:
            pytest.skip(f"the kubelet of {name} is no process of this machine")
        for one in kubelets:
            one.suspend()
        try:
            yield
        finally:
            for one in kubelets:
                one.resume()


@pytest.fixture
def nodes(tenant: Tenant) -> Iterator[Nodes]:
    """The cluster's nodes, where a program takes them away and brings them back."""
    command = os.environ.get("TRIALFLOW_TEST_NODE_COMMAND")
    if not command:
        pytest.skip("TRIALFLOW_TEST_NODE_COMMAND names no program that takes a node away (`lose NODE`) and brings it back (`return NODE`)")
    found = Nodes(tenant, command)
    try:
        yield found
    finally:
        found.restore()
