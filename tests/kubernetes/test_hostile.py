"""Hostile models in pods: the experiment spends its budget exactly, says what it refused, and nothing of it stays on the cluster."""

import asyncio
import base64
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Attempt, Report
from tasks.experiments.client import ServiceClient
from tasks.experiments.run_tokens import RunTokens
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.requests import listed
from tasks.kubernetes.jobs.compute import KubernetesCompute
from tasks.kubernetes.jobs.pod_template import PodTemplate
from tests import given
from tests.contract.hostile import MODEL, attack
from tests.service.conftest import Running, started
from trialflow.home import Home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    """A service on this machine, which no pod reaches."""
    with started(tmp_path / "home", end_seconds=60) as running:
        yield running


async def test_hostile_models_in_pods_cost_what_is_theirs_and_no_more(served: Running, cluster: Cluster, tmp_path: Path) -> None:
    uid, image = f"experiment-{secrets.token_hex(5)}", f"{given.registry()}/python:3.11-slim"
    async with open_cluster(cluster) as connection:
        async with KubernetesCompute(connection, PodTemplate(uid=uid, image=ImageFacts(image)), tmp_path / "runs") as compute:
            await attack(served, Home(tmp_path / "home"), compute, ("python3", "-c", MODEL))
            await compute.close()
        for kind in ("secrets", "configmaps"):
            left = await listed(connection, f"/api/v1/namespaces/{connection.namespace}/{kind}", what="look", labels=f"trialflow.dev/work={uid}")
            assert left == []


async def ignore(reports: Sequence[Report]) -> None:
    """What is reported is not what is asked here."""


async def test_a_pod_that_reaches_the_service_holds_a_token_of_its_training_run_alone(served: Running, cluster: Cluster, tmp_path: Path) -> None:
    """The pod need not reach it for this: it prints what it holds, as a hostile one would send it elsewhere."""
    run = served.call("POST", "clients/1/projects/default/training_runs", {"name": f"run-{secrets.token_hex(4)}"})
    own, uid = f"training_runs/{run['id']}", f"experiment-{secrets.token_hex(5)}"
    client = ServiceClient(served.url, served.token)
    attempt = Attempt(run, 1, ("sh", "-c", "tr '\\0' '\\n' < /proc/1/environ | grep TOKEN"), "default")
    template = PodTemplate(uid=uid, image=ImageFacts(f"{given.registry()}/python:3.11-slim"), api_url="http://127.0.0.1:9")

    def status(token: str, path: str) -> int:
        return served.raw("GET", path, auth=(token, "")).status_code

    async with open_cluster(cluster) as connection:

        async def held() -> list[dict[str, Any]]:
            path = f"/api/v1/namespaces/{connection.namespace}/secrets"
            return await listed(connection, path, what="list Secrets", labels=f"trialflow.dev/work={uid}")

        async with KubernetesCompute(connection, template, tmp_path / "runs", issue=RunTokens(client, served.token)) as compute:
            await compute.launch(attempt)
            await compute.launch(attempt)  # adopted: the pod's token stays good
            (secret,) = await held()
            token = base64.b64decode(secret["data"]["token"]).decode()
            assert secret["metadata"]["name"] == run["name"] and token.startswith(f"run-{run['id']}-")
            assert status(token, own) == 200 and status(token, "clients/1/projects") == 403
            async with asyncio.timeout(180):
                await compute.follow(attempt, on_reports=ignore)
            printed = compute.read_log(attempt).decode()
            assert f"TRIALFLOW_UPSTREAM_TOKEN={token}" in printed and served.token not in printed
            served.call("MERGE", own, {"state": "completed"})
            assert status(token, own) == 403
            await compute.discard(attempt)
            await compute.close()
        client.close()
        assert await held() == []
