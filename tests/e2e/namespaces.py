"""Deletes a namespace of a test with all that is in it."""

import asyncio

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
from tasks.kubernetes.client.requests import ask


def delete_namespace(kubeconfig: str, name: str) -> None:
    """Delete the namespace and what trialflow bound to it across the cluster; its end is not waited for."""

    async def delete() -> None:
        document, context = load_kubeconfig(kubeconfig, None, environ={})
        async with open_cluster(Cluster("test", namespace=name, kubeconfig=document, context=context)) as connection:
            await ask(connection, "DELETE", f"/api/v1/namespaces/{name}", what=f"delete namespace {name}")
            binding = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/trialflow-flows-{name}"
            await ask(connection, "DELETE", binding, what="delete its binding")

    asyncio.run(delete())
