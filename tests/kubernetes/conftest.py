"""A real cluster for the tests of this room, each in a namespace of its own."""

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tests import given


@pytest.fixture
def kubeconfig() -> Path:
    """The kubeconfig of an administrator of the cluster that tests may use."""
    return Path(given.kubeconfig())


@pytest.fixture
async def cluster(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """The cluster with a new namespace, which is deleted at the end with all that is in it."""
    from kubernetes_asyncio.client import CoreV1Api

    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig

    document, context = load_kubeconfig(str(kubeconfig), None, environ={})
    registry = os.environ.get("TRIALFLOW_TEST_REGISTRY")
    made = Cluster("test", namespace=f"trialflow-test-{secrets.token_hex(4)}", kubeconfig=document, context=context, registry=registry)
    async with open_cluster(made) as connection:
        await CoreV1Api(connection.api).create_namespace({"metadata": {"name": made.namespace}})
    try:
        yield made
    finally:
        async with open_cluster(made) as connection:
            await CoreV1Api(connection.api).delete_namespace(made.namespace)
