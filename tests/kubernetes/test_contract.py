"""A cluster keeps the contract of a compute, all of it: the image has the `sigopt` client."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tasks.compute import Compute
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.jobs.compute import KubernetesCompute
from tasks.kubernetes.jobs.pod_template import PodTemplate
from tests.contract.compute import ComputeContract, WithoutService
from tests.contract.images import client_image

MOST = 6
"""Computes that a test may ask for."""

pytestmark = [pytest.mark.cluster]


@pytest.fixture(scope="module")
def image() -> str:
    return client_image()


class TestKubernetes(ComputeContract, WithoutService):
    patience = 120.0
    pace = 5.0

    @pytest.fixture
    async def another(self, cluster: Cluster, image: str, tmp_path: Path) -> AsyncIterator[Callable[[], Compute]]:
        recipe = PodTemplate(uid=f"experiment-{secrets.token_hex(5)}", image=ImageFacts(image))
        async with AsyncExitStack() as opened:
            connection = await opened.enter_async_context(open_cluster(cluster))
            computes = [await opened.enter_async_context(KubernetesCompute(connection, recipe, tmp_path)) for _ in range(MOST)]
            yield lambda: computes.pop()
