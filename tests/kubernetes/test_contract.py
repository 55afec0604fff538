"""A cluster keeps the contract of a compute. What an image without the `sigopt` client cannot show is left to the end-to-end tests."""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tasks.compute import Compute
from tasks.kubernetes.cluster import Cluster
from tasks.kubernetes.compute import KubernetesCompute
from tasks.kubernetes.connection import connected
from tasks.kubernetes.pods import Recipe
from tests.contract.compute import Adoption, Ends, Output, Reports, Stopping

MOST = 6
"""Computes that a test may ask for."""

pytestmark = [pytest.mark.cluster]


class TestKubernetes(Ends, Output, Reports, Adoption, Stopping):
    patience = 120.0
    pace = 5.0

    @pytest.fixture
    async def another(self, cluster: Cluster, tmp_path: Path) -> AsyncIterator[Callable[[], Compute]]:
        recipe = Recipe(uid=f"experiment-{secrets.token_hex(5)}", image=image(), entrypoint=())
        async with AsyncExitStack() as opened:
            connection = await opened.enter_async_context(connected(cluster))
            computes = [await opened.enter_async_context(KubernetesCompute(connection, recipe, tmp_path)) for _ in range(MOST)]
            yield lambda: computes.pop()


def image() -> str:
    registry = os.environ.get("TRIALFLOW_TEST_REGISTRY")
    if not registry:
        pytest.skip("TRIALFLOW_TEST_REGISTRY names no registry: there is no image to execute")
    return f"{registry}/python:3.11-slim"
