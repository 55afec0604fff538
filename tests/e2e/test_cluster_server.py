"""An experiment that outlives whoever started it: left to a server in the cluster, of which this and that is killed while somebody follows."""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Tenant
from tests.e2e.network import forwarded
from tests.e2e.reconnecting import admin
from tests.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
POD = "trialflow-server-0"
KILLS = int(os.environ.get("TRIALFLOW_SERVER_KILLS", "1"))
"""More for a longer siege by hand."""
BUDGET = max(6, 3 * KILLS)
PATIENCE = 300.0
PARTS = ("pod", "flow", "worker", "prefect", "service")
KILL = """\
import os, psutil
for one in psutil.process_iter():
    if one.pid == os.getpid():
        continue  # it is called by all those words
    try:
        line = " ".join(one.cmdline())
        parts = {"flow": "PREFECT__FLOW_RUN_ID" in one.environ(), "worker": "deployments.worker" in line}
        if parts.get("PART", "embedded.serving PART" in line):
            one.kill()
            print("killed", line)
    except psutil.Error:
        pass
"""
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
def options(tenant: Tenant) -> Iterator[list[str]]:
    """Options of a server on this machine's cluster: a volume, and an address of the API server that pods reach."""
    if "storageclass.kubernetes.io/is-default-class" in tenant.administer("get", "storageclasses", "-o", "json"):
        yield []
        return
    # Made here, not in pytest's folder: the pod's user has to be able to enter it. Every node of this cluster has the files of this machine.
    folder = Path(f"/var/tmp/{tenant.namespace}")
    folder.mkdir()
    node = json.loads(tenant.administer("get", "nodes", "-o", "json"))["items"][-1]["metadata"]["name"]
    admin(tenant, "apply", "-f", "-", stdin=VOLUME.format(name=tenant.namespace, path=folder, node=node))
    try:
        with forwarded(tenant) as (host, port):
            yield ["--server-storage", "claim/data", "--server-api-address", f"{host}:{port}"]
    finally:
        tenant.administer("delete", "pv", tenant.namespace, "--wait=false")
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def typed(tenant: Tenant, *arguments: str, seconds: float = 600) -> tuple[str, str]:
    """Type a command that has to succeed: what it printed, and what it said."""
    process = tenant.user.start(*arguments)
    out, said = process.communicate(timeout=seconds)
    assert process.returncode == 0, out + said
    return out, said


def running(tenant: Tenant) -> list[dict[str, Any]]:
    """The pods of training runs that run."""
    return [pod for pod in tenant.pods() if pod["metadata"]["name"] != POD and pod["status"].get("phase") == "Running"]


def kill(tenant: Tenant, part: str) -> bool:
    """Kill the server's pod, or processes in it. False if there were none, or it could not be entered."""
    if part == "pod":
        tenant.administer("delete", "pod", POD, "--wait=true")
        return True
    try:
        return "killed" in tenant.administer("exec", POD, "--", "python", "-c", KILL.replace("PART", part))
    except subprocess.CalledProcessError:
        return False


def schedule_one(tenant: Tenant) -> None:
    """Leave a schedule to the server, and have it fire."""
    tenant.write(budget=1, seconds=0)
    at = ("-n", tenant.name)
    _, said = typed(tenant, "schedule", "add", *at, "--cron", "0 2 * * *", "-p", "outlives", "--name", "nightly")
    assert f"on the server of cluster {tenant.name}" in said
    _, said = typed(tenant, "schedule", "run", *at, "nightly")
    flow_run = said.split("flow run ")[1].split()[0]
    shown, said = typed(tenant, "follow", *at, flow_run)
    assert shown.startswith("BEST"), said
    (one,) = json.loads(typed(tenant, "schedule", "list", *at, "-o", "json")[0])
    assert (one["name"], one["last"]) == ("nightly", "Completed")


def test_an_experiment_goes_on_without_the_machine_that_started_it_and_when_its_server_is_killed_part_by_part(
    tenant: Tenant, options: list[str]
) -> None:
    typed(tenant, "cluster", "install-plugins", "--server", *options, seconds=1200)  # builds the image, unless the registry has it
    tenant.write(budget=BUDGET, seconds=4, bandwidth=2)
    out, _ = typed(tenant, "cluster", "optimize", "--detach", "-p", "outlives")
    assert out.strip().startswith('Started "experiment/')
    identifier = out.strip().removeprefix('Started "experiment/').removesuffix('"')
    following = tenant.user.start("follow", "-n", tenant.name, "-p", "outlives")
    for part in (*PARTS[: KILLS % len(PARTS)], *PARTS * (KILLS // len(PARTS))):
        until(lambda: running(tenant), f"no training run ran before the {part} was killed", PATIENCE, pause=0.5)
        time.sleep(random.uniform(0, 3))
        until(lambda part=part: kill(tenant, part), f"there was no {part} to kill", PATIENCE, pause=0.5)
    shown, said = following.communicate(timeout=2 * PATIENCE)
    assert following.returncode == 0 and shown.startswith("BEST"), said
    exported = tenant.administer("exec", POD, "--", "trialflow", "experiment", "export", identifier, "-o", "json")
    runs = json.loads(exported)
    assert len(runs) == BUDGET and {run["state"] for run in runs} == {"completed"}, said
    assert len({json.dumps(run["assignments"]) for run in runs}) == BUDGET
    assert tenant.left() == []
    schedule_one(tenant)
    again, _ = typed(tenant, "cluster", "clean", "--server", "--yes", "-n", tenant.name)
    assert "StatefulSet trialflow-server: deleted" in again and "Secret trialflow-server: deleted" in again
    assert tenant.administer("get", "statefulsets,pods,secrets", "-o", "name").split() == []
    assert tenant.user.start("cluster", "server", "-n", tenant.name).wait(120) == 2  # there is none any more
