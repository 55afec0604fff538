"""An experiment that outlives whoever started it: left to a server in the cluster, whose pod is killed in the middle."""

import asyncio
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.clusters import Tenant

POD = "trialflow-server-0"
BUDGET = 8
VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 2Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  persistentVolumeReclaimPolicy: Retain
  claimRef: {{namespace: {name}, name: data}}
  local: {{path: {path}}}
  nodeAffinity: {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [{node}]}}]}}]}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: {name}}}
spec: {{storageClassName: "", volumeName: {name}, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"""


@pytest.fixture
def storage(tenant: Tenant, tmp_path: Path) -> Iterator[list[str]]:
    """Options of a server on this machine's cluster: a volume, and an address of the API server that pods reach."""
    nodes = json.loads(tenant.administer("get", "nodes", "-o", "json"))["items"]
    found = [(node["metadata"]["name"], one["address"]) for node in nodes for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
    server = tenant.administer("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").removeprefix("https://")
    for node, address in found:
        with suppress(OSError), before(address, server) as port:
            # Made here, not in pytest's folder: the pod's user has to be able to enter it.
            folder = Path(f"/var/tmp/{tenant.namespace}")
            folder.mkdir()
            manifest = tmp_path / "volume.yml"
            manifest.write_text(VOLUME.format(name=tenant.namespace, path=folder, node=node))
            tenant.administer("apply", "-f", str(manifest))
            try:
                yield ["--server-storage", "claim/data", "--server-api-address", f"{address}:{port}"]
            finally:
                tenant.administer("delete", "pv", tenant.namespace, "--wait=false")
                subprocess.run(["rm", "-rf", str(folder)], check=True)
            return
    yield []  # a cluster of machines elsewhere has both


@contextmanager
def before(address: str, server: str) -> Iterator[int]:
    """A port at `address` that leads to `server`. Raises OSError if this machine does not have that address."""
    listener = socket.create_server((address, 0))
    loop = asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = server.rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    async def serve() -> None:
        await asyncio.start_server(take, sock=listener)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(serve(), loop).result()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()


def typed(tenant: Tenant, *arguments: str, seconds: float = 600) -> tuple[str, str]:
    """Type a command that has to succeed: what it printed, and what it said."""
    process = tenant.user.start(*arguments)
    out, said = process.communicate(timeout=seconds)
    assert process.returncode == 0, out + said
    return out, said


def in_the_pod(tenant: Tenant, *arguments: str) -> str:
    return tenant.administer("exec", POD, "--", *arguments)


@pytest.mark.cluster
def test_an_experiment_goes_on_without_the_machine_that_started_it_and_when_its_server_is_killed(tenant: Tenant, storage: list[str]) -> None:
    # The first time the server's image is built, which takes minutes.
    typed(tenant, "cluster", "install-plugins", "--server", *storage, seconds=1200)
    tenant.write(budget=BUDGET, seconds=4, bandwidth=2)
    out, _ = typed(tenant, "cluster", "optimize", "--detach", "-p", "outlives")
    assert out.strip().startswith('Started "experiment/')
    identifier = out.strip().removeprefix('Started "experiment/').removesuffix('"')
    until = time.monotonic() + 240
    while not [pod for pod in tenant.pods() if pod["metadata"]["name"] != POD and pod["status"].get("phase") == "Running"]:
        assert time.monotonic() < until, "no training run ever ran"
        time.sleep(0.5)
    tenant.administer("delete", "pod", POD, "--wait=true")
    typed(tenant, "follow", "-n", tenant.name, "-p", "outlives", identifier)
    runs = json.loads(in_the_pod(tenant, "trialflow", "experiment", "export", identifier, "-o", "json"))
    runs = runs if isinstance(runs, list) else runs["training_runs"]
    assert len(runs) == BUDGET and {run["state"] for run in runs} == {"completed"}
    assert len({json.dumps(run["assignments"]) for run in runs}) == BUDGET
    assert tenant.left() == []
    again, said = typed(tenant, "cluster", "clean", "--server", "--yes", "-n", tenant.name)
    assert "StatefulSet trialflow-server: deleted" in again and "Secret trialflow-server: deleted" in again
    assert tenant.administer("get", "statefulsets,pods,secrets", "-o", "name").split() == []
    assert tenant.user.start("cluster", "server", "-n", tenant.name).wait(120) == 2  # there is none any more
